//! How all AWS clients reach AWS: region and credentials from the default chain, TLS by rustls with ring.

use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_sqs::config::Credentials;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

/// Configuration from environment, profile, web identity, container or instance; `AWS_ENDPOINT_URL` is honoured.
pub async fn sdk_config() -> SdkConfig {
    loader().load().await
}

/// Configuration for an emulator: nothing of the environment is looked at, so nothing can reach a real account.
pub async fn sdk_config_at(endpoint: &str, region: &str, key_id: &str, secret: &str) -> SdkConfig {
    loader()
        .endpoint_url(endpoint)
        .region(Region::new(region.to_owned()))
        .credentials_provider(Credentials::new(key_id, secret, None, None, "emulator"))
        .load()
        .await
}

fn loader() -> ConfigLoader {
    // The SDK's own default client would bring a second cryptography library.
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    aws_config::defaults(BehaviorVersion::latest()).http_client(http)
}

//! How all AWS clients reach AWS: region and credentials from the default chain, TLS by rustls with ring.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

/// Configuration from environment, profile, web identity, container or instance; `AWS_ENDPOINT_URL` is honoured.
pub async fn sdk_config() -> SdkConfig {
    // The SDK's own default client would bring a second cryptography library.
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await
}

//! Consent at the sandbox books, as a person gives it in a browser: the page sends the code back to the redirect address.

use koppel_core::ports::Calls;
use koppel_flows::connections;

use koppel_core::Tenant;
use koppel_flows::Engine;

/// Opens the consent page, takes the code from where it redirects to, exchanges it, and lets the connection go on.
pub async fn give_to(engine: &Engine, tenant: &Tenant, name: &str) {
    let stored = koppel_flows::config::load_current(&*engine.store, tenant).await.expect("read").expect("applied");
    let connection = connections::open(engine, tenant, &stored.config, name).await.expect("opened");
    // Keys are enough for some.
    let Some(consent) = engine.systems.consent(&connection).expect("consent") else { return };
    let page = consent.authorize_url("state-1").expect("a page");
    // Some other client may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("client");
    let answer = client.get(page).send().await.expect("the page answers");
    let back = answer.headers()["location"].to_str().expect("text").to_owned();
    let back = reqwest::Url::parse(&back).expect("an address");
    let code = back.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
    consent.exchange_code(&code, &Calls::default()).await.expect("tokens");
    connections::resume(engine, tenant, name).await.expect("resumed");
}

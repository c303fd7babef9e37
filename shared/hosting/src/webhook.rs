//! The address of webhooks, the same on every host: `POST /webhook/<tenant>/<connection>`.

use koppel_core::keys::Tenant;
use koppel_core::ports::webhook::Delivery;
use koppel_flows::Engine;
use koppel_flows::steps::webhook::{Answer, receive};

/// Longest name of a tenant or connection in the address.
const MOST_CHARS: usize = 100;

/// Answers a request to the endpoint.
pub async fn answer(engine: &Engine, method: &str, path: &str, delivery: &Delivery) -> Answer {
    let Some((tenant, connection)) = address(path) else { return Answer { status: 404, outcome: "unknown" } };
    if method != "POST" {
        return Answer { status: 405, outcome: "not_post" };
    }
    receive(engine, &tenant, connection, delivery).await
}

/// Tenant and connection of a path. Names are plain, because only plain ones are registered.
fn address(path: &str) -> Option<(Tenant, &str)> {
    let (tenant, connection) = path.strip_prefix("/webhook/")?.trim_end_matches('/').split_once('/')?;
    let plain = |name: &str| {
        (1..=MOST_CHARS).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    };
    (plain(tenant) && plain(connection)).then(|| (Tenant(tenant.to_owned()), connection))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_lead_somewhere() {
        assert_eq!(address("/webhook/main/shop"), Some((Tenant("main".into()), "shop")));
        assert_eq!(address("/webhook/main/shop/"), Some((Tenant("main".into()), "shop")));
        for path in
            ["/webhook/main", "/webhook//shop", "/webhook/main/a/b", "/webhook/main/a%2Fb", "/x", "/webhook/a#b/c"]
        {
            assert_eq!(address(path), None, "{path}");
        }
    }
}

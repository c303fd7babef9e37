//! What the shop says about one record of a batch. Its words are translated; its codes are not.

use koppel_core::{Cause, Failure};
use serde_json::Value;

use crate::woocommerce::native::{text, unescape};

/// The failure of one record.
pub fn failure(error: &Value, label: &str) -> Failure {
    let code = text(&error["code"]);
    let message = unescape(&text(&error["message"]));
    let said = if message.is_empty() { code.clone() } else { format!("{message} ({code})") };
    let other = text(&error["data"]["resource_id"]);
    match code.as_str() {
        // A product in the trash keeps its number, and is told by another code.
        "product_invalid_sku" | "woocommerce_rest_product_not_created" => {
            let whose = if other.is_empty() { String::new() } else { format!(" (id {other})") };
            Failure::reject(
                Cause::new(
                    "duplicate_sku",
                    format!("the article number «{label}» belongs to another product{whose}: {said}"),
                )
                .advice(
                    "look for it in the shop, also in the trash and among variations, and delete one of them for good",
                ),
            )
        }
        "product_invalid_global_unique_id" => Failure::reject(
            Cause::new("duplicate_gtin", format!("the GTIN of «{label}» belongs to another product: {said}"))
                .advice("look for it in the shop, also among variations; a GTIN may be there once"),
        ),
        "registration-error-email-exists" | "woocommerce_rest_customer_invalid_email" => Failure::reject(
            Cause::new("duplicate_email", format!("the address of {label} cannot be used: {said}"))
                .advice("look for another account with this address, also one of those who run the shop"),
        ),
        code if code.ends_with("_invalid_id") || code == "woocommerce_rest_invalid_product_id" => Failure::reject(
            Cause::new("gone_from_target", format!("the shop no longer has «{label}»: {said}"))
                .advice("try again: what is missing is made anew"),
        ),
        code if is_permission(code) => Failure::settings(
            Cause::new("not_allowed", format!("the key may not do this: {said}"))
                .advice("let an administrator or shop manager make the key, with read and write permission"),
        ),
        code if code.contains("image") => Failure::reject(
            Cause::new("picture_refused", format!("a picture of «{label}» was refused: {said}"))
                .advice("see that the shop can read the address of the picture, and that it is one of its media types"),
        ),
        _ => Failure::reject(Cause::new("refused", format!("«{label}» was refused: {said}"))),
    }
}

fn is_permission(code: &str) -> bool {
    code.starts_with("woocommerce_rest_cannot_") || code.starts_with("rest_cannot_") || code == "rest_forbidden"
}

/// The account exists already.
pub fn is_taken_email(failure: &Failure) -> bool {
    matches!(failure, Failure::Reject(cause) if cause.code == "duplicate_email")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn codes_decide_and_the_shop_is_quoted() {
        for (code, expected) in [
            ("product_invalid_sku", "reject duplicate_sku"),
            ("woocommerce_rest_product_not_created", "reject duplicate_sku"),
            ("product_invalid_global_unique_id", "reject duplicate_gtin"),
            ("registration-error-email-exists", "reject duplicate_email"),
            ("woocommerce_rest_product_variation_invalid_id", "reject gone_from_target"),
            ("woocommerce_rest_invalid_product_id", "reject gone_from_target"),
            ("woocommerce_rest_cannot_edit", "settings not_allowed"),
            ("woocommerce_product_image_upload_error", "reject picture_refused"),
            ("woocommerce_product_invalid_image_id", "reject picture_refused"),
            ("something_of_a_plugin", "reject refused"),
        ] {
            let error = json!({ "code": code, "message": "Nee &lt;b&gt;", "data": { "resource_id": 7 } });
            let failure = failure(&error, "MOK");
            assert_eq!(format!("{} {}", failure.class(), failure.cause().code), expected);
            assert!(failure.cause().message.contains("Nee <b>"), "{failure}");
        }
        let failure = failure(&json!({ "code": "product_invalid_sku", "data": { "resource_id": 7 } }), "MOK");
        assert!(failure.to_string().contains("«MOK»") && failure.to_string().contains("id 7"), "{failure}");
    }
}

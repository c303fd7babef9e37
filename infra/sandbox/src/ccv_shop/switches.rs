//! Behaviour that is unknown, or that differs from one shop to the next.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The switches; the README says what each stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Switches {
    /// Errors are signed too.
    pub sign_errors: bool,
    /// `right`, `wrong` or `none`: what a proxy leaves of the signature of an answer.
    pub response_signature: String,
    /// Code of an answer to a bad signature, date or key; its first digits are the status.
    pub auth_code: String,
    /// Code of an answer to a query or body that breaks its schema.
    pub schema_code: String,
    /// Code of an answer about a record that is not there.
    pub unknown_id_code: String,
    /// The app that opens the API is installed; without it every call is a 500.90.
    pub api_app_installed: bool,
    /// The documented limits per minute count.
    pub resource_limits: bool,
    /// `resource` or `path`: what has a limit of its own.
    pub limit_by: String,
    /// Every key pair has limits of its own.
    pub limit_per_key: bool,
    /// Calls per minute over everything; null: no limit.
    pub overall_minute_limit: Option<u32>,
    /// `Retry-After` of a 429; null: no such header.
    pub retry_after_seconds: Option<u32>,
    /// Items of a page nobody chose a size for.
    pub page_size: usize,
    /// Most items of a page.
    pub page_size_max: usize,
    /// `clamp` or `refuse`: a size above the maximum.
    pub size_above_maximum: String,
    /// `id` or `id_desc`: order of a list nobody chose one for.
    pub default_order: String,
    /// `refuse` or `ignore`: a query parameter, expand or orderby that is not documented.
    pub unknown_query: String,
    /// `contains`, `prefix` or `exact`: how `productnumber`, `eannumber` and `mpnnumber` filter products.
    pub productnumber_match: String,
    /// `refuse` or `accept`: a time in `min_create_date` and its like.
    pub date_with_time: String,
    /// A `max_…_date` without a time includes that day.
    pub max_date_whole_day: bool,
    /// `1` and `0` are yes and no in a query, besides `true` and `false`.
    pub flags_as_digits: bool,
    /// `products` or `mixed`: a variant found by `/productqueries/` is its product, or the combination itself.
    pub productqueries_items: String,
    /// `refuse` or `ignore`: a field of a body that the model does not have.
    pub unknown_fields: String,
    /// `refuse` or `allow`: null in a body.
    pub null_fields: String,
    /// Texts have their longest lengths.
    pub text_lengths: bool,
    /// Largest body.
    pub body_bytes_max: usize,
    /// Largest picture.
    pub photo_bytes_max: usize,
    /// Status of a POST that worked.
    pub post_status: u16,
    /// Resources whose POST answers 204 without a body.
    pub post_without_answer: Vec<String>,
    /// A PATCH that changes nothing is a 500.50.
    pub refuse_same_value: bool,
    /// `refuse` or `accept`: `vatrate` in place of `taxtariff`, as years ago.
    pub vatrate: String,
    /// Known types of attributes.
    pub attribute_types: Vec<String>,
    /// Known values of `ordering_without_stock`.
    pub ordering_without_stock: Vec<String>,
    /// Names of groups of properties, of properties in a group, and of options of a property are there once.
    pub unique_property_names: bool,
    /// A value needs the group of its property on the product first.
    pub property_value_needs_group: bool,
    /// `name` or `id`: what stands for an option in the value of a property.
    pub property_options: String,
    /// `one` or `list`: options in one value of an OptionCheckbox.
    pub option_checkbox: String,
    /// `values`, `links` or `address`: what a product that is expanded by its groups of properties shows of them.
    pub expanded_properties: String,
    /// A product number is there once, over products and combinations.
    pub unique_product_numbers: bool,
    /// A product in the trash keeps its number.
    pub trash_keeps_number: bool,
    /// Most products of the subscription.
    pub product_limit: usize,
    /// Prices of the catalogue include VAT.
    pub prices_include_vat: bool,
    /// `ignore` or `keep`: `stock` written to a product whose stock is kept per combination.
    pub stock_on_attribute_product: String,
    /// A sale moves `modifydate` of the product.
    pub sale_moves_modifydate: bool,
    /// `checkout` or `status`: when the rows of an order are closed (checked out, or status 7).
    pub completed_means: String,
    /// `none`, `user_id` or `all`: numbers that go out as text.
    pub numbers_as_text: String,
    /// `null` or `empty`: the user of a guest's order.
    pub guest_user: String,
    /// `total_orderrow_price` includes shipping.
    pub row_total_has_shipping: bool,
    /// `total_discounts` includes the discounts of the rows.
    pub total_discounts_has_rows: bool,
    /// `rate` or `row`: what VAT is rounded over, in new orders.
    pub tax_rounding: String,
    /// `with_tax` or `without_tax`: `total_price` of an order whose prices exclude VAT.
    pub exclusive_total: String,
    /// `when_attributes` or `always`: rows without attributes have no `price_with_attributes`, or the plain price.
    pub price_with_attributes: String,
    /// Fields of products that a shop below another one cannot change.
    pub multishop_readonly_properties: Vec<String>,
    /// `POST products` → code of the error that every such call gets, e.g. `501.30`.
    pub refusals: BTreeMap<String, String>,
    /// Records that break the shop's own schema, e.g. `orders/25`: what shows them is a 500.20.
    pub broken_records: Vec<String>,
    /// `address_body` or `body`: what the signature of a webhook covers.
    pub webhook_message: String,
    /// So often a failed delivery is tried again, at once.
    pub webhook_retries: u32,
    /// Webhooks wait this long before they are sent.
    pub webhook_delay_ms: u64,
    /// So many of a hundred deliveries are lost on the way.
    pub webhook_drop_percent: u32,
    /// So many of a hundred deliveries are sent twice.
    pub webhook_duplicate_percent: u32,
    /// What is written through the API gives webhooks too.
    pub webhooks_for_api_writes: bool,
    /// `id` or `full`: content of `orders.created`.
    pub created_payload: String,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            sign_errors: false,
            response_signature: "right".into(),
            auth_code: "401.10".into(),
            schema_code: "400.10".into(),
            unknown_id_code: "500.24".into(),
            api_app_installed: true,
            resource_limits: true,
            limit_by: "resource".into(),
            limit_per_key: false,
            overall_minute_limit: Some(300),
            retry_after_seconds: None,
            page_size: 25,
            page_size_max: 250,
            size_above_maximum: "clamp".into(),
            default_order: "id_desc".into(),
            unknown_query: "refuse".into(),
            productnumber_match: "contains".into(),
            date_with_time: "refuse".into(),
            max_date_whole_day: false,
            flags_as_digits: true,
            productqueries_items: "products".into(),
            unknown_fields: "refuse".into(),
            null_fields: "refuse".into(),
            text_lengths: true,
            body_bytes_max: 4_000_000,
            photo_bytes_max: 2_000_000,
            post_status: 201,
            post_without_answer: Vec::new(),
            refuse_same_value: true,
            vatrate: "refuse".into(),
            attribute_types: vec!["option_menu_required".into()],
            ordering_without_stock: vec!["global_setting".into()],
            unique_property_names: true,
            property_value_needs_group: true,
            property_options: "name".into(),
            option_checkbox: "one".into(),
            expanded_properties: "values".into(),
            unique_product_numbers: true,
            trash_keeps_number: true,
            product_limit: 100_000,
            prices_include_vat: true,
            stock_on_attribute_product: "ignore".into(),
            sale_moves_modifydate: false,
            completed_means: "checkout".into(),
            numbers_as_text: "user_id".into(),
            guest_user: "null".into(),
            row_total_has_shipping: true,
            total_discounts_has_rows: false,
            tax_rounding: "rate".into(),
            exclusive_total: "with_tax".into(),
            price_with_attributes: "when_attributes".into(),
            multishop_readonly_properties: Vec::new(),
            refusals: BTreeMap::new(),
            broken_records: Vec::new(),
            webhook_message: "address_body".into(),
            webhook_retries: 0,
            webhook_delay_ms: 0,
            webhook_drop_percent: 0,
            webhook_duplicate_percent: 0,
            webhooks_for_api_writes: true,
            created_payload: "id".into(),
        }
    }
}

impl Switches {
    /// A value that is none of the known ones, in words.
    pub(super) fn check(&self) -> Result<(), String> {
        for (name, value, allowed) in [
            ("response_signature", &self.response_signature, &["right", "wrong", "none"][..]),
            ("limit_by", &self.limit_by, &["resource", "path"][..]),
            ("size_above_maximum", &self.size_above_maximum, &["clamp", "refuse"][..]),
            ("default_order", &self.default_order, &["id", "id_desc"][..]),
            ("unknown_query", &self.unknown_query, &["refuse", "ignore"][..]),
            ("productnumber_match", &self.productnumber_match, &["contains", "prefix", "exact"][..]),
            ("date_with_time", &self.date_with_time, &["refuse", "accept"][..]),
            ("productqueries_items", &self.productqueries_items, &["products", "mixed"][..]),
            ("unknown_fields", &self.unknown_fields, &["refuse", "ignore"][..]),
            ("vatrate", &self.vatrate, &["refuse", "accept"][..]),
            ("null_fields", &self.null_fields, &["refuse", "allow"][..]),
            ("stock_on_attribute_product", &self.stock_on_attribute_product, &["ignore", "keep"][..]),
            ("property_options", &self.property_options, &["name", "id"][..]),
            ("option_checkbox", &self.option_checkbox, &["one", "list"][..]),
            ("expanded_properties", &self.expanded_properties, &["values", "links", "address"][..]),
            ("completed_means", &self.completed_means, &["checkout", "status"][..]),
            ("numbers_as_text", &self.numbers_as_text, &["none", "user_id", "all"][..]),
            ("guest_user", &self.guest_user, &["null", "empty"][..]),
            ("tax_rounding", &self.tax_rounding, &["rate", "row"][..]),
            ("exclusive_total", &self.exclusive_total, &["with_tax", "without_tax"][..]),
            ("price_with_attributes", &self.price_with_attributes, &["when_attributes", "always"][..]),
            ("webhook_message", &self.webhook_message, &["address_body", "body"][..]),
            ("created_payload", &self.created_payload, &["id", "full"][..]),
        ] {
            if !allowed.contains(&value.as_str()) {
                return Err(format!("switches: {name} \"{value}\" is none of {}", allowed.join(", ")));
            }
        }
        let codes = [
            ("auth_code", &self.auth_code),
            ("schema_code", &self.schema_code),
            ("unknown_id_code", &self.unknown_id_code),
        ];
        for (name, code) in codes.into_iter().chain(self.refusals.iter().map(|(name, code)| (name.as_str(), code))) {
            if super::errors::status_of(code).is_none() {
                return Err(format!("switches: {name} \"{code}\" is no code of an error, such as 500.24"));
            }
        }
        if !(200..300).contains(&self.post_status) {
            return Err(format!("switches: post_status {} is no 2xx status", self.post_status));
        }
        if self.page_size == 0 || self.page_size_max == 0 {
            return Err("switches: a page has at least one item".into());
        }
        Ok(())
    }
}

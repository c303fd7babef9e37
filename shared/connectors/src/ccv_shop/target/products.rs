//! Products: one call for the product, and more for what hangs on it.

use koppel_core::message::Action;
use koppel_core::ports::target::Change;
use koppel_core::ports::{Calls, Sent};
use koppel_core::{Cause, Failure};
use serde_json::{Map, Value, json};

use super::find::Id;
use super::values::{number_of, plain, spoken_of};
use super::variations::{self, Plan};
use super::{CcvShopTarget, Results, gather, half_written, no_id};
use crate::ccv_shop::client::unexpected;
use crate::ccv_shop::native::{self, decimal, list, text};

/// What the shop calls otherwise in a combination.
const OF_COMBINATIONS: [(&str, &str); 3] =
    [("productnumber", "product_number"), ("eannumber", "ean_number"), ("active", "active")];

impl CcvShopTarget {
    /// Creates and changes products.
    pub(super) async fn send_products(&self, changes: &[Change], calls: &Calls) -> Result<Results, Failure> {
        let mut results = Results::new();
        for change in changes {
            let result = self.send_product(change, calls).await;
            if !gather(&mut results, changes.len(), result)? {
                break;
            }
        }
        // Also when something was refused: half of it may be there.
        self.catalogue.forget().await;
        Ok(results)
    }

    async fn send_product(&self, change: &Change, calls: &Calls) -> Result<Sent, Failure> {
        let fields = spoken_of(&change.fields);
        let id = match &change.action {
            Action::Create => None,
            Action::Update { id } => Some(Id::parse(id)?),
        };
        let sent = |id: Id| Sent { id: id.text(), number: change.key.to_string(), ..Sent::default() };
        self.check_vat_of_prices(&fields, "product", calls).await?;
        if let Some(id @ Id { combination: Some(combination), .. }) = id {
            self.send_combination(combination, change, &fields, calls).await?;
            return Ok(sent(id));
        }
        // Worked out first: what cannot be shown is refused before anything is written.
        let plan = fields.get("_variations").map(variations::plan).transpose()?;
        let body = self.body(&fields, plan.as_ref(), id.is_none(), calls).await?;
        self.check_properties(fields.get("_properties"), calls).await?;
        let product = match id {
            Some(id) => {
                if !body.is_empty() {
                    self.client.change(&format!("products/{}", id.product), Value::Object(body), calls).await?;
                }
                id.product
            }
            None => self.create_product(change, body, calls).await?,
        };
        let done = self.send_children(product, id.is_none(), change, &fields, plan.as_ref(), calls).await;
        done.map_err(|failure| if id.is_none() { half_written(failure) } else { failure })?;
        Ok(sent(Id { product, combination: None }))
    }

    async fn send_children(
        &self,
        product: u64,
        is_new: bool,
        change: &Change,
        fields: &Map<String, Value>,
        plan: Option<&Plan>,
        calls: &Calls,
    ) -> Result<(), Failure> {
        if let Some(plan) = plan {
            self.send_variations(product, plan, calls).await?;
        }
        if let Some(categories) = fields.get("_categories") {
            self.send_categories(product, is_new, categories, calls).await?;
        }
        if let Some(properties) = fields.get("_properties") {
            self.send_properties(product, is_new, properties, calls).await?;
        }
        if let Some(pictures) = fields.get("_pictures") {
            let wanted = list(pictures);
            let wanted = wanted.first();
            if !is_new || wanted.is_some() {
                self.pictures.show(&self.client, product, wanted, &change.pictures, calls).await?;
            }
        }
        Ok(())
    }

    /// Fields of the product itself.
    async fn body(
        &self,
        fields: &Map<String, Value>,
        plan: Option<&Plan>,
        is_new: bool,
        calls: &Calls,
    ) -> Result<Map<String, Value>, Failure> {
        let mut body = Map::new();
        for (name, value) in fields.iter().filter(|(name, _)| !name.starts_with('_')) {
            self.texts.check(name, value)?;
            body.insert(name.clone(), plain(name, value.clone())?);
        }
        if let Some(plan) = plan {
            body.insert("price".into(), number_of(plan.parts.base));
        }
        if let Some(percent) = fields.get("_vat_percent").filter(|_| !body.contains_key("taxtariff")) {
            body.insert("taxtariff".into(), json!(self.tariff(percent, calls).await?));
        }
        if is_new {
            self.complete(&mut body, calls).await?;
        }
        Ok(body)
    }

    /// What the shop wants of a new product.
    async fn complete(&self, body: &mut Map<String, Value>, calls: &Calls) -> Result<(), Failure> {
        if !body.contains_key("price") {
            return Err(Failure::reject(
                Cause::new("no_price", "the product has no price, and the shop wants one")
                    .advice("give it a price in the source, or leave it out with filter.where")
                    .in_row("target.price"),
            ));
        }
        if !body.contains_key("taxtariff") {
            return Err(Failure::reject(
                Cause::new("no_tariff", "the VAT of the product is not known, and the shop wants a tariff")
                    .advice("give it a VAT code in the source, map vat_percent, or add a row target.taxtariff: '\"normal\"'")
                    .in_row("target.taxtariff"),
            ));
        }
        body.entry("discount").or_insert_with(|| json!(0));
        if !body.contains_key("package_id") {
            body.insert("package_id".into(), json!(self.package(calls).await?));
        }
        Ok(())
    }

    /// The tariff with this percent in the shop's own country.
    async fn tariff(&self, percent: &Value, calls: &Calls) -> Result<&'static str, Failure> {
        let shop = self.shop.facts(&self.client, calls).await?;
        let tariff = decimal(percent).and_then(|percent| shop.tariff_of(percent));
        tariff.ok_or_else(|| {
            let known: Vec<String> =
                shop.percents.iter().map(|(name, percent)| format!("{name} {} %", percent.normalize())).collect();
            Failure::reject(
                Cause::new(
                    "unknown_vat_percent",
                    format!("the shop has no tariff of {} % (it has {})", text(percent), known.join(", ")),
                )
                .advice("set the country of the connection to that of the shop, or add a row target.taxtariff")
                .in_row("target._vat_percent"),
            )
        })
    }

    /// Prices with tax in a shop whose prices are without would be wrong by all of it.
    pub(super) async fn check_vat_of_prices(
        &self,
        fields: &Map<String, Value>,
        settings: &str,
        calls: &Calls,
    ) -> Result<(), Failure> {
        let Some(ours) = fields.get("_prices_include_vat") else { return Ok(()) };
        let theirs = self.shop.facts(&self.client, calls).await?.prices_include_vat;
        if *ours == json!(theirs) {
            return Ok(());
        }
        let (with, set) = if theirs { ("with", "true") } else { ("without", "false") };
        Err(Failure::settings(
            Cause::new(
                "prices_differ_in_vat",
                format!("prices of this shop are {with} VAT, those of the flow are not"),
            )
            .advice(format!("set settings.{settings}.prices_include_tax: {set} in the flow"))
            .in_row(format!("settings.{settings}.prices_include_tax")),
        ))
    }

    /// The package of new products.
    async fn package(&self, calls: &Calls) -> Result<u64, Failure> {
        let read = async || {
            let packages = self.client.whole("packages", &[], calls).await?;
            let wanted = self.package.as_deref().unwrap_or_default().trim();
            let is = |row: &&Value| {
                wanted.is_empty()
                    || text(&row["id"]) == wanted
                    || text(&row["name"]).trim().eq_ignore_ascii_case(wanted)
            };
            packages.iter().find(is).and_then(native::id).ok_or_else(|| {
                let names: Vec<String> = packages.iter().map(|row| text(&row["name"])).collect();
                Failure::settings(
                    Cause::new(
                        "no_package",
                        format!("the shop has no package «{wanted}» (it has {})", names.join(", ")),
                    )
                    .advice("make one in the shop, or name one of them in the option package")
                    .in_row("package"),
                )
            })
        };
        self.package_id.get_or_try_init(read).await.copied()
    }

    async fn create_product(&self, change: &Change, body: Map<String, Value>, calls: &Calls) -> Result<u64, Failure> {
        let answer = self.client.create("products", Value::Object(body), calls).await?;
        if let Some(id) = answer.as_ref().and_then(native::id) {
            return Ok(id);
        }
        // It was made without saying as what.
        let asked = [("productnumber", change.key.to_string())];
        let found = self.client.all("products", &asked, 100, calls).await.map_err(half_written)?;
        let is = |row: &&Value| text(&row["productnumber"]).trim() == change.key.as_str();
        found.iter().filter(is).filter_map(native::id).max().ok_or_else(|| no_id(change))
    }

    /// An article of the source that is a combination in the shop has only what a combination has.
    async fn send_combination(
        &self,
        combination: u64,
        change: &Change,
        fields: &Map<String, Value>,
        calls: &Calls,
    ) -> Result<(), Failure> {
        if let Some(price) = fields.get("price") {
            return Err(Failure::reject(
                Cause::new(
                    "price_of_combination",
                    format!(
                        "«{}» should cost {}, but the shop has it as a combination, which has no price of its own",
                        change.key,
                        text(price)
                    ),
                )
                .advice("change what its choices cost in the shop, or set update.price: false in the flow")
                .in_row("target.price"),
            ));
        }
        let mut body = Map::new();
        for (name, theirs) in OF_COMBINATIONS {
            if let Some(value) = fields.get(name) {
                self.texts.check(name, value)?;
                body.insert(theirs.to_owned(), value.clone());
            }
        }
        if body.is_empty() {
            return Ok(());
        }
        self.client.change(&format!("attributecombinations/{combination}"), Value::Object(body), calls).await
    }

    /// Makes the categories of a product those that are wanted.
    async fn send_categories(&self, product: u64, is_new: bool, wanted: &Value, calls: &Calls) -> Result<(), Failure> {
        let mut ids = Vec::new();
        for path in list(wanted) {
            let path: Vec<String> = list(&path).iter().map(text).collect();
            if let Some(id) = self.categories.make(&self.client, &path, calls).await?
                && !ids.contains(&id)
            {
                ids.push(id);
            }
        }
        let path = format!("products/{product}/producttocategories");
        let links = if is_new { Vec::new() } else { self.client.whole(&path, &[], calls).await? };
        for id in &ids {
            if !links.iter().any(|link| native::number(&link["category_id"]) == Some(*id)) {
                let body = json!({ "product_id": product, "category_id": id });
                self.client.create("producttocategories", body, calls).await?;
            }
        }
        for link in &links {
            let is_wanted = native::number(&link["category_id"]).is_some_and(|id| ids.contains(&id));
            if !is_wanted {
                let id = native::id(link).ok_or_else(|| unexpected("the place of a product in a category"))?;
                self.client.remove(&format!("producttocategories/{id}"), calls).await?;
            }
        }
        Ok(())
    }
}

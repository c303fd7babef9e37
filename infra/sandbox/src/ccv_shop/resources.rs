//! The resources of this stand-in: which model their rows have, and by which field they hang below another one.

/// One resource.
#[derive(Debug)]
pub(super) struct Resource {
    /// Word in the path, and name of the table.
    pub name: &'static str,
    /// Model of what is shown.
    pub model: &'static str,
    /// Resource above it → field with its id.
    pub links: &'static [(&'static str, &'static str)],
}

const fn plain(name: &'static str, model: &'static str) -> Resource {
    Resource { name, model, links: &[] }
}

const fn below(name: &'static str, model: &'static str, links: &'static [(&'static str, &'static str)]) -> Resource {
    Resource { name, model, links }
}

const PRODUCT: &[(&str, &str)] = &[("products", "product_id")];

/// All resources; a path that is documented but not here is left out of the stand-in, and says so.
pub(super) const RESOURCES: &[Resource] = &[
    plain("apps", "Apps.Apps"),
    plain("attributes", "Attributes.Attributes"),
    below("attributevalues", "Attributevalues.Attributevalues", &[("attributes", "attribute_id")]),
    below("attributecombinations", "Attributecombinations.Attributecombinations", PRODUCT),
    below(
        "attributecombinationphotos",
        "Attributecombinationphoto.Attributecombinationphoto",
        &[("attributecombinations", "attributecombination_id")],
    ),
    plain("brands", "Brands.Brands"),
    below("categories", "Categories.Categories", &[("categories", "parentcategory_id")]),
    plain("conditions", "Conditions.Conditions"),
    plain("credentials", "Credentials.Credentials"),
    plain("discountcoupons", "Discountcoupons.Discountcoupons"),
    below("domains", "entity:Domains.Domains", &[("webshops", "webshop_id")]),
    below("geozonecountries", "entity:Geozonecountries.Geozonecountries", &[("webshops", "webshop_id")]),
    plain("invoices", "Invoices.Invoices"),
    below("invoicerows", "Invoicerows.Invoicerows", &[("invoices", "invoice_id")]),
    plain("labels", "Labels.Labels"),
    plain("languages", "Languages.Languages"),
    plain("orders", "Orders.Orders"),
    below("orderlabels", "Orderlabels.Orderlabels", &[("orders", "order_id")]),
    below("ordernotes", "Ordernotes.Ordernotes", &[("orders", "order_id")]),
    below("ordernotifications", "Ordernotifications.Ordernotifications", &[("orders", "order_id")]),
    below("orderrows", "Orderrows.Orderrows", &[("orders", "order_id")]),
    plain("packages", "Packages.Packages"),
    plain("paymethods", "Paymethods.Paymethods"),
    below(
        "products",
        "Products.Products",
        &[("brands", "brand_id"), ("suppliers", "supplier_id"), ("conditions", "condition_id")],
    ),
    below("productattributesets", "Productattributesets.Productattributesets", PRODUCT),
    below("productattributevalues", "Productattributevalues.Productattributevalues", PRODUCT),
    below("productphotos", "Productphotos.Productphotos", PRODUCT),
    below(
        "productproperties",
        "Productproperties.Productproperties",
        &[("productpropertygroups", "property_group_id")],
    ),
    plain("productpropertygroups", "Productpropertygroups.Productpropertygroups"),
    below(
        "productpropertyoptions",
        "Productpropertyoptions.Productpropertyoptions",
        &[("productproperties", "property_id")],
    ),
    plain("productpropertyvalues", "Productpropertyvalues.Productpropertyvalues"),
    plain("productqueries", "Products.Products"),
    below("productstaggeredprices", "Productstaggeredprices.Productstaggeredprices", PRODUCT),
    below("producttaxtariffexceptions", "Producttaxtariffexceptions.Producttaxtariffexceptions", PRODUCT),
    below(
        "producttocategories",
        "Producttocategories.Producttocategories",
        &[("products", "product_id"), ("categories", "category_id")],
    ),
    below("producttopropertygroups", "Producttopropertygroups.Producttopropertygroups", PRODUCT),
    below("productvariations", "Productvariations.Productvariations", PRODUCT),
    plain("returns", "Returns.Returns"),
    below("returnrows", "Returnrows.Returnrows", &[("returns", "return_id")]),
    plain("suppliers", "Suppliers.Suppliers"),
    plain("usercategoryadjustments", "Usercategoryadjustments.Usercategoryadjustments"),
    plain("usergroupcategoryadjustments", "Usergroupcategoryadjustments.Usergroupcategoryadjustments"),
    plain("usergroupproductadjustments", "Usergroupproductadjustments.Usergroupproductadjustments"),
    plain("usergroups", "Usergroups.Usergroups"),
    plain(
        "usergroupstaggeredpriceadjustments",
        "Usergroupstaggeredpriceadjustments.Usergroupstaggeredpriceadjustments",
    ),
    plain("userproductadjustments", "Userproductadjustments.Userproductadjustments"),
    below("users", "Users.Users", &[("usergroups", "group_id")]),
    plain("userstaggeredpriceadjustments", "Userstaggeredpriceadjustments.Userstaggeredpriceadjustments"),
    plain("webhooks", "Webhooks.Webhooks"),
    plain("webshops", "Webshops.Webshops"),
];

/// A resource by its word.
pub(super) fn find(name: &str) -> Option<&'static Resource> {
    RESOURCES.iter().find(|resource| resource.name == name)
}

impl Resource {
    /// Field with the id of the row above.
    pub fn link(&self, parent: &str) -> Option<&'static str> {
        self.links.iter().find(|(name, _)| *name == parent).map(|(_, field)| *field)
    }
}

#[cfg(test)]
mod tests {
    use super::super::metadata::metadata;
    use super::*;

    #[test]
    fn every_resource_has_its_model_and_a_path() {
        for resource in RESOURCES {
            assert!(metadata().model(resource.model).is_some(), "{}", resource.name);
            assert!(metadata().endpoints().iter().any(|one| one.resource() == resource.name), "{}", resource.name);
        }
    }
}

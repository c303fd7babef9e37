//! Fields that point at other rows: they must exist, and their names are shown beside them.

use serde_json::Value;

use crate::exact_online::Tx;
use crate::exact_online::write::{Fields, field};
use crate::message::Reply;
use crate::text::text;

struct Reference {
    fields: &'static [&'static str],
    path: &'static str,
    /// Field of the target row that is named.
    by: &'static str,
    /// Suffix of the field beside it → field of the target row.
    shown: &'static [(&'static str, &'static str)],
}

const NAMED: &[(&str, &str)] = &[("Name", "Name"), ("Code", "Code")];
const DESCRIBED: &[(&str, &str)] = &[("Description", "Description"), ("Code", "Code")];
const DESCRIBED_ONLY: &[(&str, &str)] = &[("Description", "Description")];

const REFERENCES: &[Reference] = &[
    Reference {
        fields: &["OrderedBy", "DeliverTo", "InvoiceTo", "Customer", "Account", "InvoiceAccount", "Reseller", "Parent"],
        path: "crm/Accounts",
        by: "ID",
        shown: NAMED,
    },
    Reference {
        fields: &[
            "OrderedByContactPerson",
            "DeliverToContactPerson",
            "InvoiceToContactPerson",
            "Contact",
            "MainContact",
        ],
        path: "crm/Contacts",
        by: "ID",
        shown: &[("FullName", "FullName"), ("Name", "FullName")],
    },
    Reference { fields: &["DeliveryAddress", "DeliverToAddress"], path: "crm/Addresses", by: "ID", shown: &[] },
    Reference { fields: &["Item"], path: "logistics/Items", by: "ID", shown: DESCRIBED },
    Reference { fields: &["ItemGroup"], path: "logistics/ItemGroups", by: "ID", shown: DESCRIBED },
    Reference { fields: &["ShippingMethod"], path: "sales/ShippingMethods", by: "ID", shown: DESCRIBED },
    Reference { fields: &["WarehouseID", "Warehouse"], path: "inventory/Warehouses", by: "ID", shown: DESCRIBED },
    Reference { fields: &["SalesChannel"], path: "sales/SalesChannels", by: "ID", shown: DESCRIBED },
    Reference { fields: &["PriceList", "Pricelist"], path: "sales/SalesPriceLists", by: "ID", shown: DESCRIBED_ONLY },
    Reference { fields: &["Document"], path: "documents/Documents", by: "ID", shown: &[("Subject", "Subject")] },
    Reference {
        fields: &["GLAccount", "GLRevenue", "GLCosts", "GLStock", "GLAccountSales", "GLAR"],
        path: "financial/GLAccounts",
        by: "ID",
        shown: DESCRIBED,
    },
    Reference {
        fields: &["PaymentCondition", "PaymentConditionSales", "PaymentConditionPurchase"],
        path: "cashflow/PaymentConditions",
        by: "Code",
        shown: DESCRIBED_ONLY,
    },
    Reference { fields: &["Journal", "JournalCode"], path: "financial/Journals", by: "Code", shown: DESCRIBED_ONLY },
    Reference {
        fields: &["VATCode", "SalesVatCode", "SalesVATCode"],
        path: "vat/VATCodes",
        by: "Code",
        shown: DESCRIBED_ONLY,
    },
    Reference { fields: &["CostCenter"], path: "hrm/Costcenters", by: "Code", shown: DESCRIBED_ONLY },
    Reference { fields: &["CostUnit"], path: "hrm/Costunits", by: "Code", shown: DESCRIBED_ONLY },
    Reference { fields: &["Unit", "UnitCode"], path: "logistics/Units", by: "Code", shown: &[] },
];

fn target<'a>(tx: &'a Tx<'_>, reference: &Reference, value: &str) -> Option<&'a Value> {
    match reference.by {
        "ID" => tx.get(reference.path, value),
        by => tx.first(reference.path, by, value.trim()),
    }
}

fn filled<'a>(fields: &'a Fields, reference: &Reference) -> Vec<(&'static str, &'a str)> {
    let names = reference.fields.iter().map(|name| (*name, field(fields, name)));
    names.filter(|(_, value)| !value.trim().is_empty()).collect()
}

/// Refuses a field that points at nothing, and a blocked VAT code.
pub(super) fn check(tx: &Tx<'_>, table: &str, fields: &Fields) -> Result<(), Reply> {
    for reference in REFERENCES {
        // A set-up resource's own fields may bear the same names with another meaning.
        if table == reference.path {
            continue;
        }
        for (name, value) in filled(fields, reference) {
            let row = target(tx, reference, value).ok_or_else(|| tx.words().invalid(name))?;
            if row["IsBlocked"] == true {
                return Err(tx.words().invalid_because(name, "geblokkeerd", "blocked"));
            }
        }
    }
    Ok(())
}

/// Fills the fields beside the references: `ItemCode`, `OrderedByName`, …
pub(in crate::exact_online) fn fill_names(tx: &Tx<'_>, table: &str, fields: &mut Fields) {
    let Some(entity) = super::super::metadata().find(table) else { return };
    for reference in REFERENCES {
        let shown: Vec<(String, Value)> = filled(fields, reference)
            .into_iter()
            .filter_map(|(name, value)| target(tx, reference, value).map(|row| (name, row)))
            .flat_map(|(name, row)| {
                let stem = name.strip_suffix("ID").unwrap_or(name);
                reference
                    .shown
                    .iter()
                    .map(move |(suffix, from)| (format!("{stem}{suffix}"), Value::from(text(row, from))))
            })
            .collect();
        for (name, value) in shown {
            if entity.prop(&name).is_some_and(|prop| !prop.post && !prop.put) {
                fields.insert(name, value);
            }
        }
    }
}

//! Error answers of Exact Online: one shape, texts in the language of the user.

use serde_json::json;

use crate::message::Reply;

/// `{"error":{"code":"","message":{"lang":"","value":…}}}`.
pub(super) fn error(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({"error": {"code": "", "message": {"lang": "", "value": message}}}))
}

/// A query that cannot be understood.
pub(super) fn syntax() -> Reply {
    error(400, "Bad Request - Error in query syntax.")
}

/// A body that cannot be understood.
pub(super) fn stream(what: &str) -> Reply {
    error(400, &format!("Error processing request stream. {what}"))
}

/// Texts of business rules, which come as status 500.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    pub dutch: bool,
}

impl Words {
    /// A field that must be filled.
    pub fn mandatory(self, field: &str) -> Reply {
        error(500, &format!("{}: {}", if self.dutch { "Verplicht" } else { "Mandatory" }, self.field(field)))
    }

    /// A value that is not accepted.
    pub fn invalid(self, field: &str) -> Reply {
        error(500, &format!("{}: {}", if self.dutch { "Ongeldig" } else { "Invalid" }, self.field(field)))
    }

    /// A value that is not accepted, with the reason.
    pub fn invalid_because(self, field: &str, dutch: &str, english: &str) -> Reply {
        let reason = if self.dutch { dutch } else { english };
        error(500, &format!("{}: {} - {reason}", if self.dutch { "Ongeldig" } else { "Invalid" }, self.field(field)))
    }

    /// Something with that key is there already.
    pub fn exists(self) -> Reply {
        error(500, if self.dutch { "Gegeven bestaat reeds." } else { "Data already exists." })
    }

    /// Another rule.
    pub fn other(self, dutch: &str, english: &str) -> Reply {
        error(500, if self.dutch { dutch } else { english })
    }

    fn field(self, field: &str) -> &str {
        if !self.dutch {
            return field;
        }
        match field {
            "Name" => "Naam",
            "Description" => "Omschrijving",
            "Item" => "Artikel",
            "OrderedBy" => "Besteld door",
            "DeliverTo" => "Afleveren aan",
            "InvoiceTo" => "Factuur voor",
            "Customer" => "Klant",
            "Account" => "Relatie",
            "Journal" | "JournalCode" => "Dagboek",
            "GLAccount" => "Grootboekrekening",
            "PaymentCondition" => "Betalingsconditie",
            "VATCode" | "SalesVatCode" | "SalesVATCode" => "Btw-code",
            "YourRef" => "Uw ref.",
            "Quantity" => "Aantal",
            "AmountFC" => "Bedrag",
            "FirstName" => "Voornaam",
            "WarehouseID" | "Warehouse" => "Magazijn",
            "ShippingMethod" => "Verzendwijze",
            "CostCenter" => "Kostenplaats",
            "CostUnit" => "Kostendrager",
            "Currency" | "SalesCurrency" | "CostPriceCurrency" => "Valuta",
            "OrderDate" => "Orderdatum",
            "InvoiceDate" => "Factuurdatum",
            "EntryDate" | "Date" => "Boekdatum",
            other => other,
        }
    }
}

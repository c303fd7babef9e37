//! Completes a mapped customer by the flow's settings.

use koppel_core::document::Customer;
use koppel_core::error::{Cause, Failure};
use koppel_core::keys::normalize_email;
use koppel_core::system::Lookup;
use koppel_core::vat::{VatCheck, VatFacts};

use crate::config::FlowSettings;
use crate::{settings, vat_numbers};

/// Codes by the country of the invoice address. A customer without an e-mail address has no key, and is rejected.
pub fn complete(customer: &mut Customer, settings: &FlowSettings, check: Option<&VatCheck>) -> Result<(), Failure> {
    vat_numbers::apply_to_customer(customer, check);
    // A company without a name is a private person.
    customer.company = customer.company.take().filter(|company| !company.name.trim().is_empty());
    if normalize_email(&customer.email).is_none() {
        return Err(Failure::reject(
            Cause::new("missing_email", "the customer has no e-mail address, and an empty key is never a key")
                .advice("add the address in the source, or leave such customers out with filter.where")
                .in_row("email"),
        ));
    }
    let country = customer.billing.country.clone();
    let group = vec![customer.price_class.clone()];
    let none = Vec::new();
    let refused = check.is_some_and(|check| !check.counts);
    let vat = if refused { VatFacts::keys_without_number(&country).to_vec() } else { Vec::new() };
    for (lookup, setting, sources) in [
        (Lookup::VatCode, &settings.vat_code, &vat),
        (Lookup::RevenueAccount, &settings.revenue_account, &vat),
        (Lookup::PaymentTerms, &settings.payment_terms, &group),
        (Lookup::CostCenter, &settings.cost_center, &none),
        (Lookup::CostUnit, &settings.cost_unit, &none),
    ] {
        settings::decide_into(&mut customer.codes, lookup, setting, sources, &country);
    }
    // Who has classes of prices named in the target belongs to one of them there; others keep their group.
    if !settings.price.classes.is_empty() {
        customer.price_class = settings.price.classes.get(&customer.price_class).cloned().unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use koppel_core::document::{Address, Company};

    #[test]
    fn codes_follow_the_country_and_the_group_and_an_address_is_needed() {
        let settings: FlowSettings = serde_saphyr::from_str(
            "{ vat_code: { by_country: { DE: \"12\" }, default: \"4\" }, payment_terms: { table: { wholesale: \"30\" } } }",
        )
        .unwrap();
        let mut customer = Customer {
            email: "a@example.test".into(),
            company: Some(Company { name: " ".into(), ..Company::default() }),
            price_class: "wholesale".into(),
            billing: Address { country: "DE".into(), ..Address::default() },
            ..Customer::default()
        };
        complete(&mut customer, &settings, None).unwrap();
        assert_eq!(customer.codes["vat_code"], "12");
        assert_eq!(customer.codes["payment_terms"], "30");
        assert!(customer.company.is_none());
        assert_eq!(customer.price_class, "wholesale");
        let named: FlowSettings =
            serde_saphyr::from_str("{ price: { classes: { DEALER: wholesale_customer } } }").unwrap();
        for (class, role) in [("DEALER", "wholesale_customer"), ("VIP", "")] {
            customer.price_class = class.into();
            complete(&mut customer, &named, None).unwrap();
            assert_eq!(customer.price_class, role);
        }
        let failure = complete(&mut Customer::default(), &settings, None).unwrap_err();
        assert_eq!(failure.cause().code, "missing_email");
    }
}

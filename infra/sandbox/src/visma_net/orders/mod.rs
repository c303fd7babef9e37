//! The sales order service (v3).

use super::contract::Endpoint;
use super::errors::message;
use super::rows::Tx;
use crate::message::{Call, Reply};

/// Key of an order.
pub(super) fn key(kind: &str, id: &str) -> String {
    format!("{kind}/{id}")
}

pub(super) fn answer(_tx: &mut Tx<'_>, endpoint: &Endpoint, _params: &[String], _call: &Call) -> Result<Reply, Reply> {
    Err(message(501, &format!("{} is not part of the sandbox", endpoint.key)))
}

pub(super) fn ship(_tx: &mut Tx<'_>, _call: &Call, endpoint: &Endpoint, _id: &str) -> Result<Reply, Reply> {
    Err(message(501, &format!("{} is not part of the sandbox", endpoint.key)))
}

pub(super) fn invoice(_tx: &mut Tx<'_>, _kind: &str, _id: &str) -> Result<Reply, Reply> {
    Err(message(501, "prepareInvoice is not part of the sandbox"))
}

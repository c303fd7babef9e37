//! Bundles: a line of an order may be a part of another, and a shop shows the price on one side, on the other, or on both. The
//! setting `bundles` says which lines the books get. No amount is lost, and none goes to another VAT rate.
//!
//! * `parent`: amounts of the parts are added to the bundle, and the parts are left out
//! * `children`: the amount of the bundle is divided over its parts, by what they cost (by quantity when nothing tells), in whole
//!   cents and the rest by largest remainder, and the bundle is left out
//! * `both_priced_on_parent`, `both_priced_on_children`: so, but the other side goes along at 0.00
//!
//! One line takes one rate. Parts at another rate than their bundle cannot be added to it, and an amount of the bundle is divided
//! over parts only that cost nothing themselves or have its rate. What cannot be done so waits for another setting.
//!
//! A line is known by its id on the order, so an article that is in a bundle and beside it stays two lines.

mod amounts;

use std::fmt;

use koppel_core::document::{DocumentType, Entity, Line, LineKind, Order};
use koppel_core::error::{Cause, Failure};
use koppel_core::system::SystemFacts;
use rust_decimal::Decimal;
use serde::Serialize;

use crate::config::{Bundles, Config, FlowConfig};
use crate::refunds;
use amounts::{add, divide, is_charged, rates, rates_text, without_amounts};

/// What became of a line of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fate {
    /// Line, as the source has it.
    pub line: String,
    /// Article number, or the text of a line that has none.
    pub article: String,
    /// What became of it.
    pub became: String,
}

/// What a flow does with bundles. Refunds follow the flow that brings their orders. A booking has no articles, so the side that
/// has no amount is left out of it.
pub fn policy(config: &Config, flow: &FlowConfig, target: &SystemFacts, document: Option<DocumentType>) -> Bundles {
    match refunds::followed(config, flow).settings.bundles {
        Bundles::BothPricedOnParent if target.posts_amounts(document) => Bundles::Parent,
        Bundles::BothPricedOnChildren if target.posts_amounts(document) => Bundles::Children,
        set => set,
    }
}

/// What is wrong with a flow of refunds that says something else than the flow of its orders.
pub fn differs(config: &Config, flow: &FlowConfig) -> Option<Cause> {
    let set = flow.settings.bundles;
    if flow.entity != Entity::Refunds || set == Bundles::AsIs {
        return None;
    }
    let (name, orders) = refunds::orders_flows(config, flow).into_iter().next()?;
    (orders.settings.bundles != set).then(|| {
        Cause::new(
            "bundles_differ",
            format!("refunds follow the flow of their orders «{name}», where bundles are {}", orders.settings.bundles),
        )
        .advice(format!("leave it out here, or set settings.bundles: {set} in «{name}» too"))
        .in_row("settings.bundles")
    })
}

/// Arranges the lines of an order, and tells what became of those of bundles.
pub fn of_order(order: &mut Order, policy: Bundles) -> Result<Vec<Fate>, Failure> {
    let sold = order.lines.clone();
    arrange(&mut order.lines, &sold, policy, order.currency.unit())
}

/// Arranges what is given back of an order, as the order was: `given` are its lines with what is given back of each. Lines of the
/// same bundle that the refund does not name may get a share, or take the amount of a part that the books do not have.
pub fn of_refund(original: &Order, given: &mut Vec<Line>, policy: Bundles) -> Result<Vec<Fate>, Failure> {
    if policy == Bundles::AsIs {
        return Ok(Vec::new());
    }
    let tree = Tree::of(&original.lines);
    let of_line = |line: &Line| original.lines.iter().position(|sold| is_same(sold, line));
    let touched: Vec<usize> = given.iter().filter_map(of_line).map(|at| tree.root(at)).collect();
    let named = given.len();
    for (at, sold) in original.lines.iter().enumerate() {
        let in_bundle = tree.is_in_bundle(at) && touched.contains(&tree.root(at));
        if in_bundle && !given[..named].iter().any(|line| is_same(sold, line)) {
            let mut silent = without_amounts(sold);
            silent.quantity = Decimal::ZERO;
            given.push(silent);
        }
    }
    arrange(given, &original.lines, policy, original.currency.unit())
}

/// Which line is a part of which.
struct Tree(Vec<Option<usize>>);

impl Tree {
    /// A part whose bundle is not on the order, or that would be a part of itself, stands alone.
    fn of(lines: &[Line]) -> Self {
        let place = |line: &Line| {
            let wanted = line.part_of.trim();
            let is_it = |other: &Line| other.id == wanted && other.kind == LineKind::Product;
            if wanted.is_empty() || line.kind != LineKind::Product { None } else { lines.iter().position(is_it) }
        };
        let tree = Self(lines.iter().map(place).collect());
        let alone = |at: usize| tree.depth(at).is_none();
        let ends: Vec<bool> = (0..lines.len()).map(alone).collect();
        Self(tree.0.into_iter().zip(ends).map(|(of, endless)| of.filter(|_| !endless)).collect())
    }

    /// Bundles around a line; `None` when they go in a circle.
    fn depth(&self, at: usize) -> Option<usize> {
        let (mut depth, mut at) = (0, at);
        while let Some(of) = self.0[at] {
            (depth, at) = (depth + 1, of);
            if depth > self.0.len() {
                return None;
            }
        }
        Some(depth)
    }

    fn root(&self, at: usize) -> usize {
        self.0[at].map_or(at, |of| self.root(of))
    }

    fn parts(&self, of: usize) -> Vec<usize> {
        (0..self.0.len()).filter(|at| self.0[*at] == Some(of)).collect()
    }

    fn is_in_bundle(&self, at: usize) -> bool {
        self.0[at].is_some() || self.0.contains(&Some(at))
    }

    /// Bundles, the outermost first.
    fn bundles(&self) -> Vec<usize> {
        let mut bundles: Vec<usize> = (0..self.0.len()).filter(|at| self.0.contains(&Some(*at))).collect();
        bundles.sort_by_key(|at| self.depth(*at));
        bundles
    }
}

/// `sold` are the lines as the order has them; of an order itself a copy.
fn arrange(lines: &mut Vec<Line>, sold: &[Line], policy: Bundles, unit: Decimal) -> Result<Vec<Fate>, Failure> {
    let tree = Tree::of(lines);
    if policy == Bundles::AsIs || tree.bundles().is_empty() {
        return Ok(Vec::new());
    }
    let as_sold = |line: &Line| sold.iter().find(|sold| is_same(sold, line)).unwrap_or(line).clone();
    let sold: Vec<Line> = lines.iter().map(as_sold).collect();
    let mut became = vec![String::new(); lines.len()];
    match policy {
        Bundles::AsIs => {}
        Bundles::Parent | Bundles::BothPricedOnParent => gather(lines, &tree, &mut became)?,
        Bundles::Children | Bundles::BothPricedOnChildren => spread(lines, &sold, &tree, unit, policy, &mut became)?,
    }
    let left_out = |at: usize| match policy {
        Bundles::Parent => tree.0[at].is_some(),
        Bundles::Children => !tree.parts(at).is_empty(),
        _ => false,
    };
    let mut fates = Vec::new();
    for at in 0..lines.len() {
        // Of a refund: what nothing was said of, and what got nothing.
        if !tree.is_in_bundle(at) || (!is_said(&lines[at]) && became[at].is_empty()) {
            continue;
        }
        let end = if left_out(at) {
            "left out"
        } else if is_charged(&lines[at]) {
            "sent"
        } else {
            "sent at 0.00"
        };
        let text = match became[at].as_str() {
            "" => end.to_owned(),
            text => format!("{text}; {end}"),
        };
        fates.push(Fate { line: lines[at].id.clone(), article: name(&lines[at]).to_owned(), became: text });
    }
    let mut at = 0;
    lines.retain(|line| {
        let keep = !left_out(at) && (!tree.is_in_bundle(at) || is_said(line));
        at += 1;
        keep
    });
    Ok(fates)
}

/// Adds the amounts of all parts to the outermost bundle.
fn gather(lines: &mut [Line], tree: &Tree, became: &mut [String]) -> Result<(), Failure> {
    for at in 0..lines.len() {
        let root = tree.root(at);
        if root == at {
            continue;
        }
        let part = lines[at].clone();
        if is_charged(&part) {
            if is_charged(&lines[root]) && rates(&lines[root]) != rates(&part) {
                return Err(two_rates(&lines[root], &part));
            }
            became[at] = format!("{} added to line {}", part.net.normalize(), lines[root].id);
        }
        add(&mut lines[root], &part);
        lines[at] = without_amounts(&part);
    }
    Ok(())
}

/// Divides the amount of every bundle over its parts, the outermost first.
fn spread(
    lines: &mut [Line],
    sold: &[Line],
    tree: &Tree,
    unit: Decimal,
    policy: Bundles,
    became: &mut [String],
) -> Result<(), Failure> {
    for at in tree.bundles() {
        let whole = lines[at].clone();
        let parts = tree.parts(at);
        let named: Vec<usize> = parts.iter().copied().filter(|part| is_said(&lines[*part])).collect();
        let fits = |part: &usize| !is_charged(&sold[*part]) || rates(&sold[*part]) == rates(&whole);
        let mut takers: Vec<usize> = named.iter().copied().filter(fits).collect();
        if takers.is_empty() {
            // Of an order all parts are named; of a refund, which names none of them, each takes its share.
            takers = parts.iter().copied().filter(fits).collect();
        }
        if is_charged(&whole) || !whole.net_before_discount.is_zero() {
            if takers.is_empty() && is_charged(&whole) {
                return Err(nobody_takes(&whole));
            }
            if takers.is_empty() {
                takers.clone_from(&parts);
            }
            let shares = divide(&whole, &weights(sold, &takers), unit);
            for (part, share) in takers.iter().zip(shares) {
                if is_charged(&share) {
                    became[*part] = format!("{} of line {} added", share.net.normalize(), whole.id);
                }
                add(&mut lines[*part], &share);
            }
            let ids: Vec<&str> = takers.iter().map(|part| lines[*part].id.as_str()).collect();
            became[at] = format!("{} divided over the lines {}", whole.net.normalize(), ids.join(", "));
        }
        // A bundle that comes back, with nothing said of its parts, brings them along.
        if named.is_empty() && !whole.quantity.is_zero() && !sold[at].quantity.is_zero() {
            for part in parts {
                if policy == Bundles::Children || is_charged(&lines[part]) {
                    let share = sold[part].quantity * whole.quantity / sold[at].quantity;
                    lines[part].quantity = share.normalize();
                }
            }
        }
        lines[at] = without_amounts(&whole);
    }
    Ok(())
}

/// What the parts cost in the shop, before any discount; when that is nothing, how many they are.
fn weights(sold: &[Line], parts: &[usize]) -> Vec<Decimal> {
    let by = |of: fn(&Line) -> Decimal| -> Vec<Decimal> {
        parts.iter().map(|part| of(&sold[*part]).max(Decimal::ZERO)).collect()
    };
    let tells = |weights: &Vec<Decimal>| !weights.iter().sum::<Decimal>().is_zero();
    [by(|line| line.net_before_discount), by(|line| line.quantity)]
        .into_iter()
        .find(tells)
        .unwrap_or_else(|| vec![Decimal::ONE; parts.len()])
}

fn is_said(line: &Line) -> bool {
    !line.quantity.is_zero() || is_charged(line)
}

fn is_same(sold: &Line, line: &Line) -> bool {
    sold.id == line.id && !sold.id.is_empty()
}

fn name(line: &Line) -> &str {
    if line.sku.trim().is_empty() { line.description.trim() } else { line.sku.trim() }
}

fn two_rates(bundle: &Line, part: &Line) -> Failure {
    Failure::settings(
        Cause::new(
            "bundle_rates_differ",
            format!(
                "the bundle «{}» is charged at {} and «{}», a part of it, at {}: one line takes one VAT rate",
                name(bundle),
                rates_text(bundle),
                name(part),
                rates_text(part)
            ),
        )
        .advice("set settings.bundles: children, so that each part keeps its rate, or as_is")
        .in_row("settings.bundles"),
    )
}

fn nobody_takes(bundle: &Line) -> Failure {
    Failure::settings(
        Cause::new(
            "bundle_rates_differ",
            format!(
                "the amount {} of the bundle «{}» is charged at {}, and each of its parts at another VAT rate",
                bundle.net.normalize(),
                name(bundle),
                rates_text(bundle)
            ),
        )
        .advice("set settings.bundles: as_is, so that both keep their rates")
        .in_row("settings.bundles"),
    )
}

impl fmt::Display for Bundles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AsIs => "as_is",
            Self::Parent => "parent",
            Self::Children => "children",
            Self::BothPricedOnParent => "both_priced_on_parent",
            Self::BothPricedOnChildren => "both_priced_on_children",
        })
    }
}

#[cfg(test)]
mod tests;

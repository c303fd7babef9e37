//! The statements of the queue. Each runs inside one transaction of the writer.

use koppel_core::message::Step;
use rusqlite::{Connection, OptionalExtension, params};

use super::from_micros;
use crate::queue::{Depth, Settled};

/// One hand-out of one message; its text is the receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandOut {
    /// Message.
    pub seq: i64,
    /// Which time it was handed out.
    pub received: u32,
}

impl HandOut {
    /// As a receipt.
    pub fn token(self) -> String {
        format!("{}-{}", self.seq, self.received)
    }

    /// From a receipt.
    pub fn parse(token: &str) -> Option<Self> {
        let (seq, received) = token.split_once('-')?;
        Some(Self { seq: seq.parse().ok()?, received: received.parse().ok()? })
    }
}

/// A message as it lies in the table.
pub struct Message {
    /// This hand-out.
    pub hand_out: HandOut,
    /// FIFO group.
    pub group: String,
    /// Sealed body.
    pub body: Vec<u8>,
    /// Failed attempts.
    pub attempts: u32,
}

/// What [`take`] did.
#[derive(Default)]
pub struct Taken {
    /// Handed out.
    pub messages: Vec<Message>,
    /// Dropped by their workers too often.
    pub buried: Vec<i64>,
}

/// A dead letter as it lies in the table.
pub struct DeadRow {
    /// FIFO group.
    pub group: String,
    /// Sealed body.
    pub body: Vec<u8>,
    /// Failed attempts.
    pub attempts: u32,
    /// When it was given up.
    pub died_at: i64,
}

/// The oldest message of each group, by hopping from group to group through the index: the cost is the number of
/// groups, not of messages.
const HEADS: &str = "
WITH RECURSIVE lanes (lane) AS (
    SELECT (SELECT lane FROM message WHERE step = ?1 ORDER BY lane LIMIT 1)
    UNION ALL
    SELECT (SELECT lane FROM message WHERE step = ?1 AND lane > lanes.lane ORDER BY lane LIMIT 1)
    FROM lanes WHERE lanes.lane IS NOT NULL
),
heads (seq) AS (
    SELECT (SELECT seq FROM message WHERE step = ?1 AND lane = lanes.lane ORDER BY seq LIMIT 1)
    FROM lanes WHERE lanes.lane IS NOT NULL
)";

/// Numbers of the messages that can be handed out now, the oldest first.
pub fn heads(connection: &Connection, step: Step, now: i64, max: i64) -> rusqlite::Result<Vec<i64>> {
    connection
        .prepare_cached(&format!(
            "{HEADS} SELECT message.seq FROM heads JOIN message ON message.seq = heads.seq
             WHERE message.visible_at <= ?2 ORDER BY message.seq LIMIT ?3"
        ))?
        .query_map(params![step.name(), now, max], |row| row.get(0))?
        .collect()
}

/// Whether no message with this id was sent within the window; remembers it when so.
pub fn is_new(connection: &Connection, step: Step, id: &str, now: i64, window: i64) -> rusqlite::Result<bool> {
    let changed = connection
        .prepare_cached(
            "INSERT INTO sent (step, dedup_id, sent_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (step, dedup_id) DO UPDATE SET sent_at = excluded.sent_at WHERE sent_at <= ?4",
        )?
        .execute(params![step.name(), id, now, window])?;
    Ok(changed == 1)
}

/// Appends a message.
pub fn insert(
    connection: &Connection,
    step: Step,
    group: &str,
    dedup_id: &str,
    body: &[u8],
    now: i64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO message (step, lane, dedup_id, body, sent_at, visible_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
        )?
        .execute(params![step.name(), group, dedup_id, body, now])?;
    Ok(())
}

/// Whether the message is still in the queue.
pub fn exists(connection: &Connection, seq: i64) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM message WHERE seq = ?1")?.exists([seq])
}

/// Hands out at most `max` messages until `until`.
pub fn take(
    connection: &Connection,
    step: Step,
    max: i64,
    now: i64,
    until: i64,
    max_attempts: u32,
) -> rusqlite::Result<Taken> {
    let mut taken = Taken::default();
    loop {
        let buried_before = taken.buried.len();
        for seq in heads(connection, step, now, max)? {
            match take_one(connection, seq, now, until, max_attempts)? {
                Some(message) => taken.messages.push(message),
                None => taken.buried.push(seq),
            }
        }
        // Behind a buried message the next one of its group has come free.
        if !taken.messages.is_empty() || taken.buried.len() == buried_before {
            return Ok(taken);
        }
    }
}

fn take_one(
    connection: &Connection,
    seq: i64,
    now: i64,
    until: i64,
    max_attempts: u32,
) -> rusqlite::Result<Option<Message>> {
    let (in_hand, received, before): (bool, u32, u32) = connection
        .prepare_cached("SELECT in_hand, received, attempts FROM message WHERE seq = ?1")?
        .query_row([seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    // In hand and visible again: the worker died or hung, which is an attempt that failed.
    let attempts = before + u32::from(in_hand);
    if attempts >= max_attempts {
        bury(connection, seq, attempts, now)?;
        return Ok(None);
    }
    let hand_out = HandOut { seq, received: received + 1 };
    connection
        .prepare_cached(
            "UPDATE message SET in_hand = 1, received = ?2, attempts = ?3, visible_at = ?4 WHERE seq = ?1
             RETURNING lane, body",
        )?
        .query_row(params![seq, hand_out.received, attempts, until], |row| {
            Ok(Some(Message { hand_out, group: row.get(0)?, body: row.get(1)?, attempts }))
        })
}

fn bury(connection: &Connection, seq: i64, attempts: u32, now: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO dead_letter (seq, step, lane, dedup_id, body, sent_at, attempts, died_at)
             SELECT seq, step, lane, dedup_id, body, sent_at, ?2, ?3 FROM message WHERE seq = ?1",
        )?
        .execute(params![seq, attempts, now])?;
    connection.prepare_cached("DELETE FROM message WHERE seq = ?1")?.execute([seq])?;
    Ok(())
}

/// Takes a message back from its worker.
pub fn give_back(
    connection: &Connection,
    hand_out: HandOut,
    now: i64,
    visible_at: i64,
    counts: bool,
    max_attempts: u32,
) -> rusqlite::Result<Settled> {
    let held: Option<u32> = connection
        .prepare_cached("SELECT attempts FROM message WHERE seq = ?1 AND received = ?2 AND in_hand = 1")?
        .query_row(params![hand_out.seq, hand_out.received], |row| row.get(0))
        .optional()?;
    let Some(before) = held else { return Ok(Settled::Stale) };
    let attempts = before + u32::from(counts);
    if attempts >= max_attempts {
        bury(connection, hand_out.seq, attempts, now)?;
        return Ok(Settled::Buried);
    }
    connection
        .prepare_cached("UPDATE message SET in_hand = 0, attempts = ?2, visible_at = ?3 WHERE seq = ?1")?
        .execute(params![hand_out.seq, attempts, visible_at])?;
    Ok(Settled::Done)
}

/// How full the queue is, seen from the head of each group.
pub fn depth(connection: &Connection, step: Step, now: i64) -> rusqlite::Result<Depth> {
    let mut depth = Depth::default();
    let mut next_due: Option<i64> = None;
    let mut statement = connection.prepare_cached(
        "SELECT lanes.length, message.in_hand, message.visible_at
         FROM (SELECT MIN(seq) AS head, COUNT(*) AS length FROM message WHERE step = ?1 GROUP BY lane) AS lanes
         JOIN message ON message.seq = lanes.head",
    )?;
    let mut rows = statement.query([step.name()])?;
    while let Some(row) = rows.next()? {
        let (length, in_hand, visible_at): (i64, bool, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let length = length.unsigned_abs();
        if visible_at <= now {
            depth.waiting += length;
        } else if in_hand {
            depth.in_hand += 1;
            depth.waiting += length.saturating_sub(1);
        } else {
            depth.delayed += length;
            next_due = Some(next_due.map_or(visible_at, |due| due.min(visible_at)));
        }
    }
    let dead: i64 = connection
        .prepare_cached("SELECT COUNT(*) FROM dead_letter WHERE step = ?1")?
        .query_row([step.name()], |row| row.get(0))?;
    Ok(Depth { dead: dead.unsigned_abs(), next_due: next_due.and_then(from_micros), ..depth })
}

/// The oldest dead letters.
pub fn dead_letters(connection: &Connection, step: Step, max: i64) -> rusqlite::Result<Vec<DeadRow>> {
    connection
        .prepare_cached("SELECT lane, body, attempts, died_at FROM dead_letter WHERE step = ?1 ORDER BY seq LIMIT ?2")?
        .query_map(params![step.name(), max], |row| {
            Ok(DeadRow { group: row.get(0)?, body: row.get(1)?, attempts: row.get(2)?, died_at: row.get(3)? })
        })?
        .collect()
}

/// Puts all dead letters at the end of their groups, as new.
pub fn redrive(connection: &Connection, step: Step, now: i64) -> rusqlite::Result<u64> {
    let sent = connection
        .prepare_cached(
            "INSERT INTO message (step, lane, dedup_id, body, sent_at, visible_at)
             SELECT step, lane, dedup_id, body, sent_at, ?2 FROM dead_letter WHERE step = ?1 ORDER BY seq",
        )?
        .execute(params![step.name(), now])?;
    connection.prepare_cached("DELETE FROM dead_letter WHERE step = ?1")?.execute([step.name()])?;
    Ok(u64::try_from(sent).unwrap_or(u64::MAX))
}

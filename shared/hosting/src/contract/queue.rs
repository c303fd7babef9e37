//! Rules of the queue port and of receiving.

use std::sync::Arc;
use std::time::Duration;

use koppel_core::message::{CHUNK_MAX_BYTES, Step};
use koppel_core::ports::QueueMessage;

use super::{Broken, Passage, Rule, fresh_tenant, hold, rules};
use crate::queue::{Received, ReceivingQueue, Settled};

/// Queues and their time. Nobody else may receive from `step` meanwhile.
pub struct Fixture {
    /// The queues.
    pub queue: Arc<dyn ReceivingQueue>,
    /// How time passes.
    pub time: Arc<dyn Passage>,
    /// The queue that the rules use.
    pub step: Step,
    /// Another one.
    pub other_step: Step,
    /// Hand-outs (or failed attempts) after which a message is a dead letter.
    pub max_attempts: u32,
    /// Whether the engine can tell a failed attempt from a hand-out that does not count.
    pub tells_attempts: bool,
    /// A delay that is worth waiting for; at least a second.
    pub brief: Duration,
}

rules!(Fixture:
    a_message_arrives_as_it_was_sent,
    a_group_is_in_order,
    a_group_is_in_one_hand,
    groups_run_in_parallel,
    the_same_message_twice_is_one,
    a_done_message_is_not_accepted_again,
    steps_are_separate,
    a_message_in_hand_is_invisible,
    a_dropped_message_comes_back,
    an_extended_message_stays_in_hand,
    a_stale_receipt_settles_nothing,
    done_twice_is_done,
    a_retry_waits_for_its_time,
    a_waiting_message_holds_its_group,
    a_message_that_fails_too_often_is_buried,
    a_message_that_is_dropped_too_often_is_buried,
    a_throttled_message_is_never_buried,
    dead_letters_can_be_sent_again,
);

const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

struct Group {
    name: String,
}

impl Group {
    fn message(&self, body: &str) -> QueueMessage {
        QueueMessage {
            group: self.name.clone(),
            dedup_id: format!("{}#{}", self.name, body.chars().take(20).collect::<String>()),
            body: body.to_owned(),
        }
    }
}

fn group() -> Group {
    Group { name: format!("{}#flow#0", fresh_tenant()) }
}

impl Fixture {
    async fn send(&self, group: &Group, bodies: &[&str]) -> Rule {
        let messages: Vec<_> = bodies.iter().map(|body| group.message(body)).collect();
        Ok(self.queue.send(self.step, &messages).await?)
    }

    /// One look at the queue: what is there of these groups. What an earlier rule left is taken away.
    async fn look(&self, groups: &[&Group], max: usize) -> Result<Vec<Received>, Broken> {
        let mut mine = Vec::new();
        for message in self.queue.receive(self.step, max).await? {
            if groups.iter().any(|group| group.name == message.group) {
                mine.push(message);
            } else {
                self.queue.ack(&message.receipt).await?;
            }
        }
        Ok(mine)
    }

    /// Looks until something is there: an engine in the cloud may need a moment.
    async fn some(&self, groups: &[&Group], max: usize) -> Result<Vec<Received>, Broken> {
        for _ in 0..TRIES {
            let mine = self.look(groups, max).await?;
            if !mine.is_empty() {
                return Ok(mine);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(Vec::new())
    }

    /// The next message of a group.
    async fn one(&self, group: &Group) -> Result<Received, Broken> {
        let mut got = self.some(&[group], 1).await?;
        hold!(got.len() == 1, "asked for one message and got {}", got.len());
        got.pop().ok_or_else(|| Broken("a message is missing".to_owned()))
    }

    async fn ack(&self, message: &Received) -> Rule {
        let settled = self.queue.ack(&message.receipt).await?;
        hold!(settled == Settled::Done, "a message in hand was acknowledged and the answer is {settled:?}");
        Ok(())
    }

    async fn nothing(&self, group: &Group, when: &str) -> Rule {
        let got = self.look(&[group], 10).await?;
        hold!(got.is_empty(), "{when} came {:?}", bodies(&got));
        Ok(())
    }

    async fn let_it_lapse(&self) {
        self.time.pass(self.queue.visibility() + Duration::from_secs(1)).await;
    }

    /// Fails the next message of the group until it is a dead letter.
    async fn fail_until_buried(&self, group: &Group) -> Rule {
        for attempt in 1..=self.max_attempts {
            let message = self.one(group).await?;
            let settled = self.queue.retry_after(&message.receipt, Duration::ZERO, true).await?;
            hold!(settled != Settled::Stale, "attempt {attempt} could not be given back");
        }
        Ok(())
    }

    async fn dead(&self, group: &Group) -> Result<Vec<String>, Broken> {
        for _ in 0..TRIES {
            let letters = self.queue.dead_letters(self.step, 100).await?;
            let mine: Vec<_> = letters.into_iter().filter(|l| l.group == group.name).map(|l| l.body).collect();
            if !mine.is_empty() {
                return Ok(mine);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(Vec::new())
    }

    /// Leaves no dead letters to the next rule.
    async fn clear_dead(&self, group: &Group) -> Rule {
        self.queue.redrive(self.step).await?;
        let back = self.some(&[group], 10).await?;
        for message in &back {
            self.queue.ack(&message.receipt).await?;
        }
        Ok(())
    }
}

fn bodies(messages: &[Received]) -> Vec<&str> {
    messages.iter().map(|message| message.body.as_str()).collect()
}

/// Group and text are what was sent, up to the largest chunk.
pub async fn a_message_arrives_as_it_was_sent(f: &Fixture) -> Rule {
    for body in [r#"{"naam":"Zoë 🧀","price":9.950000000000001}"#.to_owned(), "x".repeat(CHUNK_MAX_BYTES)] {
        let group = group();
        f.send(&group, &[&body]).await?;
        let message = f.one(&group).await?;
        hold!(message.body == body, "{} bytes were sent and {} came", body.len(), message.body.len());
        hold!(message.received == 1, "the first hand-out is number {}", message.received);
        hold!(message.attempts == 0, "a new message has {} attempts", message.attempts);
        f.ack(&message).await?;
        f.nothing(&group, "after the only message").await?;
    }
    Ok(())
}

/// More messages than fit one call, in order.
pub async fn a_group_is_in_order(f: &Fixture) -> Rule {
    let group = group();
    let wanted: Vec<_> = (0..23).map(|n| format!("{n:02}")).collect();
    f.send(&group, &wanted.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    let mut got = Vec::new();
    while got.len() < wanted.len() {
        let messages = f.some(&[&group], 10).await?;
        hold!(!messages.is_empty(), "after {got:?} nothing came");
        for message in messages {
            f.ack(&message).await?;
            got.push(message.body);
        }
    }
    hold!(got == wanted, "the order was {got:?}");
    Ok(())
}

/// While something of a group is in hand, nobody gets more of it.
pub async fn a_group_is_in_one_hand(f: &Fixture) -> Rule {
    let group = group();
    f.send(&group, &["1", "2"]).await?;
    let first = f.one(&group).await?;
    hold!(first.body == "1", "the first message is {}", first.body);
    f.nothing(&group, "beside a message in hand").await?;
    f.ack(&first).await?;
    let second = f.one(&group).await?;
    hold!(second.body == "2", "the second message is {}", second.body);
    f.ack(&second).await
}

/// A message in hand of one group does not hold another.
pub async fn groups_run_in_parallel(f: &Fixture) -> Rule {
    let groups = [group(), group(), group()];
    for group in &groups {
        f.send(group, &["1"]).await?;
    }
    let mut held = Vec::new();
    for _ in 0..TRIES {
        held.extend(f.look(&groups.each_ref(), 10).await?);
        if held.len() >= groups.len() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    for message in &held {
        f.ack(message).await?;
    }
    hold!(held.len() == groups.len(), "of {} groups {} were in hand at once", groups.len(), held.len());
    Ok(())
}

/// Sending again what may have been sent is harmless, in one call and in two.
pub async fn the_same_message_twice_is_one(f: &Fixture) -> Rule {
    let group = group();
    f.send(&group, &["1", "1"]).await?;
    f.send(&group, &["1", "2"]).await?;
    for wanted in ["1", "2"] {
        let message = f.one(&group).await?;
        hold!(message.body == wanted, "instead of {wanted} came {}", message.body);
        f.ack(&message).await?;
    }
    f.nothing(&group, "after both messages").await
}

/// The window outlives the message.
pub async fn a_done_message_is_not_accepted_again(f: &Fixture) -> Rule {
    let group = group();
    f.send(&group, &["1"]).await?;
    f.ack(&f.one(&group).await?).await?;
    f.send(&group, &["1"]).await?;
    f.nothing(&group, "after the same message was done").await
}

/// Each step has a queue of its own, for messages and for their identity.
pub async fn steps_are_separate(f: &Fixture) -> Rule {
    let group = group();
    f.queue.send(f.other_step, &[group.message("1")]).await?;
    f.nothing(&group, "out of the queue of another step").await?;
    f.send(&group, &["1"]).await?;
    f.ack(&f.one(&group).await?).await?;
    for _ in 0..TRIES {
        for message in f.queue.receive(f.other_step, 10).await? {
            f.queue.ack(&message.receipt).await?;
            if message.group == group.name {
                return Ok(());
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(Broken("the message of the other step is gone".to_owned()))
}

/// Until its time-out a message in hand is not handed out again.
pub async fn a_message_in_hand_is_invisible(f: &Fixture) -> Rule {
    let group = group();
    f.send(&group, &["1"]).await?;
    let message = f.one(&group).await?;
    f.nothing(&group, "before the visibility time-out").await?;
    f.ack(&message).await
}

/// What nobody settles comes back, and the engine counts.
pub async fn a_dropped_message_comes_back(f: &Fixture) -> Rule {
    let group = group();
    f.send(&group, &["1", "2"]).await?;
    let first = f.one(&group).await?;
    f.let_it_lapse().await;
    let again = f.one(&group).await?;
    hold!(again.body == first.body, "instead of {} came {}", first.body, again.body);
    hold!(again.received == 2, "the second hand-out is number {}", again.received);
    f.ack(&again).await?;
    f.ack(&f.one(&group).await?).await
}

/// A host that works on keeps the message.
pub async fn an_extended_message_stays_in_hand(f: &Fixture) -> Rule {
    let group = group();
    f.send(&group, &["1"]).await?;
    let message = f.one(&group).await?;
    let settled = f.queue.extend(&message.receipt, f.queue.visibility() * 4).await?;
    hold!(settled == Settled::Done, "a message in hand was extended and the answer is {settled:?}");
    f.let_it_lapse().await;
    f.nothing(&group, "before the extended time-out").await?;
    f.ack(&message).await
}

/// Whoever lost a message to another cannot settle it any more.
pub async fn a_stale_receipt_settles_nothing(f: &Fixture) -> Rule {
    let group = group();
    f.send(&group, &["1"]).await?;
    let lost = f.one(&group).await?;
    f.let_it_lapse().await;
    let held = f.one(&group).await?;
    f.queue.ack(&lost.receipt).await?;
    f.queue.retry_after(&lost.receipt, Duration::ZERO, true).await?;
    f.nothing(&group, "after a stale receipt gave the message back").await?;
    let settled = f.queue.retry_after(&held.receipt, Duration::ZERO, false).await?;
    hold!(settled == Settled::Done, "the holder could not give the message back: {settled:?}");
    let back = f.one(&group).await?;
    hold!(back.body == "1", "a stale receipt removed the message");
    f.ack(&back).await
}

/// An acknowledgement whose answer was lost is sent again.
pub async fn done_twice_is_done(f: &Fixture) -> Rule {
    let group = group();
    f.send(&group, &["1", "2"]).await?;
    let first = f.one(&group).await?;
    f.ack(&first).await?;
    f.ack(&first).await?;
    let second = f.one(&group).await?;
    hold!(second.body == "2", "after 1 came {}", second.body);
    f.ack(&second).await
}

/// A message that is given back with a delay comes after it, and not before.
pub async fn a_retry_waits_for_its_time(f: &Fixture) -> Rule {
    let group = group();
    f.send(&group, &["1"]).await?;
    let message = f.one(&group).await?;
    f.queue.retry_after(&message.receipt, f.brief, false).await?;
    f.nothing(&group, "before the delay was over").await?;
    f.time.pass(f.brief + Duration::from_secs(1)).await;
    let again = f.one(&group).await?;
    hold!(again.body == "1" && again.received == 2, "after the delay came {} ({})", again.body, again.received);
    f.ack(&again).await
}

/// Order is kept even when the first of a group has to wait.
pub async fn a_waiting_message_holds_its_group(f: &Fixture) -> Rule {
    let group = group();
    f.send(&group, &["1", "2"]).await?;
    let first = f.one(&group).await?;
    f.queue.retry_after(&first.receipt, f.brief, false).await?;
    f.nothing(&group, "past a waiting message").await?;
    f.time.pass(f.brief + Duration::from_secs(1)).await;
    for wanted in ["1", "2"] {
        let message = f.one(&group).await?;
        hold!(message.body == wanted, "instead of {wanted} came {}", message.body);
        f.ack(&message).await?;
    }
    Ok(())
}

/// Failing for good frees the group and keeps the message.
pub async fn a_message_that_fails_too_often_is_buried(f: &Fixture) -> Rule {
    let group = group();
    f.send(&group, &["bad", "good"]).await?;
    f.fail_until_buried(&group).await?;
    let next = f.one(&group).await?;
    hold!(next.body == "good", "behind the dead letter came {}", next.body);
    f.ack(&next).await?;
    let dead = f.dead(&group).await?;
    hold!(dead == ["bad"], "the dead letters are {dead:?}");
    f.clear_dead(&group).await
}

/// A message that kills its worker is buried as well.
pub async fn a_message_that_is_dropped_too_often_is_buried(f: &Fixture) -> Rule {
    let group = group();
    f.send(&group, &["bad", "good"]).await?;
    for _ in 0..f.max_attempts {
        let message = f.one(&group).await?;
        hold!(message.body == "bad", "instead of bad came {}", message.body);
        f.let_it_lapse().await;
    }
    let next = f.one(&group).await?;
    hold!(next.body == "good", "behind the dead letter came {}", next.body);
    f.ack(&next).await?;
    let dead = f.dead(&group).await?;
    hold!(dead == ["bad"], "the dead letters are {dead:?}");
    f.clear_dead(&group).await
}

/// Waiting for a limit is not failing. Only for engines that can tell.
pub async fn a_throttled_message_is_never_buried(f: &Fixture) -> Rule {
    if !f.tells_attempts {
        return Ok(());
    }
    let group = group();
    f.send(&group, &["1"]).await?;
    for _ in 0..f.max_attempts * 3 {
        let message = f.one(&group).await?;
        hold!(message.attempts == 0, "a hand-out that does not count made {} attempts", message.attempts);
        let settled = f.queue.retry_after(&message.receipt, Duration::ZERO, false).await?;
        hold!(settled == Settled::Done, "the message could not be given back: {settled:?}");
    }
    f.ack(&f.one(&group).await?).await
}

/// A redriven message starts anew, past the window of its identity.
pub async fn dead_letters_can_be_sent_again(f: &Fixture) -> Rule {
    let group = group();
    f.send(&group, &["1"]).await?;
    f.fail_until_buried(&group).await?;
    f.nothing(&group, "after the message was buried").await?;
    let dead = f.dead(&group).await?;
    hold!(dead == ["1"], "the dead letters are {dead:?}");
    let count = f.queue.redrive(f.step).await?;
    hold!(count >= 1, "one dead letter was there and {count} were sent again");
    let again = f.one(&group).await?;
    hold!(again.body == "1" && again.attempts == 0, "{} came back with {} attempts", again.body, again.attempts);
    f.ack(&again).await?;
    let left = f.queue.dead_letters(f.step, 100).await?;
    hold!(left.iter().all(|letter| letter.group != group.name), "a redriven message is still a dead letter");
    Ok(())
}

//! The harness: gives messages to hosts, lets them go from gate to gate in an order of its own, and moves the clock.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::Failure;
use koppel_core::error::RetryReason;
use koppel_core::message::{Step, Task};
use koppel_flows::waiting::Waiting;
use koppel_flows::{Engine, connections, number_back, runs, steps, waiting};
use koppel_hosting::{Received, ReceivingQueue};

use crate::ChaosError;
use crate::dice::Dice;
use crate::gate::Stop;
use crate::pairs::FLOW;
use crate::weather;
use crate::world::World;

/// Hosts that work at the same time.
const HOSTS: usize = 3;
/// A step that does not come to a gate for so long (in real time) hangs.
const HANGS: Duration = Duration::from_secs(120);
/// When a living host tells the queue that its message is still in hand.
const EXTENDS: TimeDelta = TimeDelta::seconds(8);
/// The storm ends when the shop is closed and everything is quiet, at the latest after so many gates an order.
const GATES_PER_ORDER: u64 = 1_500;
/// After the storm, the chain must come to rest within this time.
const REST_WITHIN: TimeDelta = TimeDelta::days(21);

type Work = Pin<Box<dyn Future<Output = Result<(), Failure>>>>;

/// A host: an engine of its own, at most one step in hand.
struct Host {
    engine: Engine,
    job: Option<Job>,
    asleep_until: Option<DateTime<Utc>>,
}

struct Job {
    work: Work,
    /// None for the schedule and for webhooks.
    message: Option<Received>,
    extended_at: DateTime<Utc>,
}

/// The harness of one world.
pub struct Drive {
    /// The world.
    pub world: World,
    /// Steps that were run to their end or their death.
    pub steps: u64,
    /// Times that somebody had to give consent again.
    pub consents: u64,
    hosts: Vec<Host>,
    dice: Dice,
    next_tick: DateTime<Utc>,
    next_weather: u64,
    rounds: u64,
    /// Since when nothing has happened in the systems any more.
    over_since: Option<DateTime<Utc>>,
}

impl Drive {
    /// A harness with fresh hosts.
    pub fn new(world: World) -> Self {
        let hosts = (0..HOSTS).map(|_| Host { engine: world.host(), job: None, asleep_until: None }).collect();
        let dice = Dice::new(world.seed, "drive");
        let next_tick = world.sandbox.clock().now();
        Self { world, steps: 0, consents: 0, hosts, dice, next_tick, next_weather: 0, rounds: 0, over_since: None }
    }

    fn now(&self) -> DateTime<Utc> {
        self.world.sandbox.clock().now()
    }

    fn advance(&self, by: TimeDelta) {
        self.world.sandbox.clock().advance(by.max(TimeDelta::milliseconds(1)));
    }

    /// Until the shop is closed and all that came in was handled, or the storm has lasted long enough.
    pub async fn storm(&mut self) -> Result<(), ChaosError> {
        let enough = GATES_PER_ORDER * self.world.orders as u64;
        loop {
            let gates = self.world.chaos.gates();
            if gates >= self.next_weather {
                weather::change(self.world.pair, &self.world.sandbox, &self.world.chaos, &mut self.dice);
                self.next_weather = gates + self.dice.between(300, 1_800);
            }
            self.jump();
            self.live()?;
            let idle = self.round().await?;
            if gates > enough || (idle && self.is_over() && self.is_quiet().await?) || self.is_through().await? {
                return Ok(());
            }
        }
    }

    /// Without faults, until nothing is left to do. False when that does not happen in weeks.
    pub async fn rest(&mut self) -> Result<bool, ChaosError> {
        weather::settle(self.world.pair, &self.world.sandbox, &self.world.chaos);
        self.world.chaos.set_strength(0);
        let calm_since = self.now();
        while self.now() - calm_since < REST_WITHIN {
            self.live()?;
            if !self.round().await? || !self.is_over() {
                continue;
            }
            if self.has_open_runs().await? || !self.queues_are_empty().await? {
                continue;
            }
            if let Some(due) = self.numbers_due().await? {
                self.advance(due - self.now());
                continue;
            }
            let waits = self.waits().await?;
            // What was modified last was read by a run that began after it.
            if waits.is_empty() && self.all_read_since(calm_since).await? {
                return Ok(true);
            }
            let due = waits.iter().filter_map(|waiting| waiting.due_at).min();
            if let Some(due) = due.filter(|due| *due > self.now()) {
                self.advance(due - self.now());
            }
            if !waits.is_empty() && due.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Nothing happens in the systems any more.
    fn is_over(&self) -> bool {
        self.world.shop.is_closed() && self.world.kept.is_done()
    }

    /// All that has happened was read by a run that has ended, and nothing waits: what goes on are runs that find nothing.
    /// A shop that tells no changes is read all the time, so there may never be a moment without a run.
    async fn is_through(&mut self) -> Result<bool, ChaosError> {
        if !self.is_over() {
            self.over_since = None;
            return Ok(false);
        }
        let over_since = *self.over_since.get_or_insert_with(|| self.world.sandbox.clock().now());
        Ok(self.rounds.is_multiple_of(256)
            && self.world.post.is_empty()
            && self.all_read_since(over_since).await?
            && self.waits().await?.is_empty()
            && self.numbers_due().await?.is_none())
    }

    async fn has_open_runs(&self) -> Result<bool, ChaosError> {
        for flow in self.world.pair.flows() {
            let state = runs::state(&self.world.embedded.engine, &self.world.tenant, flow).await?;
            if state.open_run.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn all_read_since(&self, moment: DateTime<Utc>) -> Result<bool, ChaosError> {
        for flow in self.world.pair.flows() {
            let state = runs::state(&self.world.embedded.engine, &self.world.tenant, flow).await?;
            if state.cursor.is_none_or(|cursor| cursor <= moment) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Records of all flows that wait.
    async fn waits(&self) -> Result<Vec<Waiting>, ChaosError> {
        let mut all = Vec::new();
        for flow in self.world.pair.flows() {
            all.extend(waiting::list(&self.world.embedded.engine, &self.world.tenant, flow).await?);
        }
        Ok(all)
    }

    /// When the first number of a document is told to the shop that it does not know yet.
    async fn numbers_due(&self) -> Result<Option<DateTime<Utc>>, ChaosError> {
        let mut first = None;
        for flow in self.world.pair.order_flows() {
            let owed = number_back::owed(&self.world.embedded.engine, &self.world.tenant, flow).await?;
            first = owed.iter().map(|one| one.due_at).chain(first).min();
        }
        Ok(first)
    }

    /// What happens in the systems, and what the shop tells of it.
    fn live(&mut self) -> Result<(), ChaosError> {
        self.world.live()?;
        let changed = std::mem::take(&mut self.world.shop.changed);
        let now = self.now();
        self.world.post.take_in(changed, now, &self.world.chaos);
        Ok(())
    }

    /// Once in a while the clock jumps: everything that is in hand was paused for as long.
    fn jump(&mut self) {
        let strength = self.world.chaos.strength();
        if strength > 0 && self.dice.roll() % 400_000 < strength {
            self.world.chaos.count("clock jump", 1);
            let minutes = if self.dice.percent(5) { self.dice.signed(60, 400) } else { self.dice.signed(2, 25) };
            self.advance(TimeDelta::minutes(minutes));
        }
    }

    /// One move of one host. True when there was nothing to do and only the clock was moved.
    async fn round(&mut self) -> Result<bool, ChaosError> {
        self.rounds += 1;
        if self.rounds.is_multiple_of(64) {
            self.look_after_consent().await?;
        }
        if self.rounds.is_multiple_of(2_000) && std::env::var_os("KOPPEL_CHAOS_VERBOSE").is_some() {
            self.show().await?;
        }
        let now = self.now();
        for host in &mut self.hosts {
            host.asleep_until = host.asleep_until.filter(|until| *until > now);
        }
        let busy: Vec<usize> = self.awake(true);
        let free: Vec<usize> = self.awake(false);
        // Sometimes more work is taken on, mostly the work in hand goes on.
        if let Some(&at) = free.get(self.dice.index(free.len()))
            && (busy.is_empty() || self.dice.percent(12))
        {
            if now >= self.next_tick {
                self.next_tick = now + TimeDelta::milliseconds(self.dice.signed(40_000, 200_000));
                let engine = self.hosts[at].engine.clone();
                let work: Work = Box::pin(async move { steps::schedule(&engine).await });
                self.hosts[at].job = Some(Job { work, message: None, extended_at: now });
                return Ok(false);
            }
            if let Some(delivery) = self.world.post.next(now) {
                let (engine, tenant) = (self.hosts[at].engine.clone(), self.world.tenant.clone());
                let work: Work = Box::pin(async move {
                    // Whatever is answered: the shop does not send it again.
                    steps::webhook::receive(&engine, &tenant, "shop", &delivery).await;
                    Ok(())
                });
                self.hosts[at].job = Some(Job { work, message: None, extended_at: now });
                return Ok(false);
            }
            if let Some(message) = self.receive().await? {
                // The first owner is slow, and a second one has it before the first has said a word.
                if let Some(&second) = free.iter().find(|other| **other != at)
                    && self.dice.roll() % 1_000 < self.world.chaos.strength()
                {
                    self.world.chaos.count("message in two hands", 1);
                    self.start(second, message.clone()).await?;
                }
                self.start(at, message).await?;
                return Ok(false);
            }
        }
        if let Some(&at) = busy.get(self.dice.index(busy.len())) {
            self.go_on(at).await?;
            return Ok(false);
        }
        self.pass_time().await?;
        Ok(true)
    }

    fn awake(&self, busy: bool) -> Vec<usize> {
        let wanted = |host: &Host| host.asleep_until.is_none() && host.job.is_some() == busy;
        (0..self.hosts.len()).filter(|at| wanted(&self.hosts[*at])).collect()
    }

    /// A message of any step and any group that can be handed out.
    async fn receive(&mut self) -> Result<Option<Received>, ChaosError> {
        let queue = self.world.embedded.queue.clone();
        let first = self.dice.index(Step::QUEUED.len());
        for turn in 0..Step::QUEUED.len() {
            let step = Step::QUEUED[(first + turn) % Step::QUEUED.len()];
            let most = 1 + self.dice.index(3);
            let mut messages = queue.receive(step, most).await?;
            if messages.is_empty() {
                continue;
            }
            let chosen = messages.swap_remove(self.dice.index(messages.len()));
            // The others go back: groups overtake one another.
            for other in messages {
                queue.retry_after(&other.receipt, Duration::ZERO, false).await?;
            }
            return Ok(Some(chosen));
        }
        Ok(None)
    }

    async fn start(&mut self, at: usize, message: Received) -> Result<(), ChaosError> {
        let Ok(task) = serde_json::from_str::<Task>(&message.body) else {
            self.world.embedded.queue.bury(&message.receipt).await?;
            return Ok(());
        };
        let engine = self.hosts[at].engine.clone();
        let work: Work = Box::pin(async move { steps::run_task(&engine, task).await });
        self.hosts[at].job = Some(Job { work, message: Some(message), extended_at: self.now() });
        Ok(())
    }

    /// Lets a host go to its next gate, its end or its death.
    async fn go_on(&mut self, at: usize) -> Result<(), ChaosError> {
        let now = self.now();
        let Some(mut job) = self.hosts[at].job.take() else { return Ok(()) };
        if let Some(message) = &job.message
            && now - job.extended_at > EXTENDS
        {
            let queue = &self.world.embedded.queue;
            queue.extend(&message.receipt, queue.visibility()).await?;
            job.extended_at = now;
        }
        let chaos = &self.world.chaos;
        let step = poll_fn(|context| match job.work.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Ok(result)),
            Poll::Pending => chaos.take_stop().map_or(Poll::Pending, |stop| Poll::Ready(Err(stop))),
        });
        let hangs = |_| ChaosError::Other(format!("seed {}: a step hangs", self.world.seed));
        match tokio::time::timeout(HANGS, step).await.map_err(hangs)? {
            Err(Stop::Gate) => self.hosts[at].job = Some(job),
            Err(Stop::Asleep(time)) => {
                self.hosts[at].asleep_until = Some(self.now() + time);
                self.hosts[at].job = Some(job);
            }
            Err(Stop::Crash) => {
                self.steps += 1;
                drop(job);
                // Some deaths are of the process, others only of the step in it.
                if self.dice.percent(40) {
                    self.hosts[at].engine = self.world.host();
                }
            }
            Ok(result) => {
                self.steps += 1;
                if let Some(message) = job.message {
                    self.settle(&message, result).await?;
                }
            }
        }
        Ok(())
    }

    /// Settles a message as a host does, except that the settling itself gets lost or comes too late.
    async fn settle(&mut self, message: &Received, result: Result<(), Failure>) -> Result<(), ChaosError> {
        let queue = self.world.embedded.queue.clone();
        let strength = self.world.chaos.strength();
        if strength > 0 && self.dice.roll() % 10_000 < 4 * strength {
            if self.dice.percent(50) {
                self.world.chaos.count("settling lost", 1);
                return Ok(());
            }
            self.world.chaos.count("receipt stale", 1);
            self.advance(TimeDelta::seconds(31));
            // Whoever receives it now has the newer receipt.
            let taken = queue.receive(message.receipt.step, 1).await?;
            for other in taken {
                queue.retry_after(&other.receipt, Duration::ZERO, false).await?;
            }
        }
        match result {
            Ok(()) => queue.ack(&message.receipt).await?,
            Err(failure) => {
                let (wait, counts) = wait_after(&failure, message);
                queue.retry_after(&message.receipt, wait, counts).await?
            }
        };
        Ok(())
    }

    /// Nothing can be done now: on to the next moment at which something can.
    async fn pass_time(&mut self) -> Result<(), ChaosError> {
        let now = self.now();
        let mut next = self.next_tick;
        for step in Step::QUEUED {
            let depth = self.world.embedded.queue.depth(step).await?;
            next = depth.next_due.map_or(next, |due| due.min(next));
        }
        next = self.world.post.next_due().map_or(next, |due| due.min(next));
        next = self.hosts.iter().filter_map(|host| host.asleep_until).fold(next, std::cmp::min);
        self.advance((next - now).max(TimeDelta::milliseconds(50)));
        Ok(())
    }

    /// The person who is told that a connection needs consent.
    async fn look_after_consent(&mut self) -> Result<(), ChaosError> {
        let engine = &self.world.embedded.engine;
        if connections::stopped(engine, &self.world.tenant, "books").await?.is_none() {
            return Ok(());
        }
        weather::settle(self.world.pair, &self.world.sandbox, &self.world.chaos);
        match self.world.consent().await {
            // The books want to be left alone for a while: somebody comes back later.
            Err(ChaosError::Chain(Failure::Retry { .. })) => return Ok(()),
            consented => consented?,
        }
        self.consents += 1;
        self.next_weather = if self.world.chaos.strength() > 0 { 0 } else { self.next_weather };
        Ok(())
    }

    /// Where the story stands, for who looks on.
    async fn show(&self) -> Result<(), ChaosError> {
        let (engine, tenant) = (&self.world.embedded.engine, &self.world.tenant);
        let state = runs::state(engine, tenant, FLOW).await?;
        let waits = self.waits().await?;
        let mut depths = Vec::new();
        for step in Step::QUEUED {
            let depth = self.world.embedded.queue.depth(step).await?;
            depths.push((depth.waiting, depth.in_hand, depth.delayed));
        }
        let stopped = connections::all_stopped(engine, tenant).await?;
        eprintln!(
            "world {} {}: strength {}, gates {}, steps {}, booked {}, waiting {} ({:?}), run {:?}, cursor {:?}, {depths:?}, stopped {stopped:?}",
            self.world.seed,
            self.now(),
            self.world.chaos.strength(),
            self.world.chaos.gates(),
            self.steps,
            self.world.pair.books.booked(&self.world.in_books).len(),
            waits.len(),
            waits.first().map(|w| (w.due_at, w.cause.to_string())),
            state.open_run,
            state.cursor,
        );
        Ok(())
    }

    async fn queues_are_empty(&self) -> Result<bool, ChaosError> {
        for step in Step::QUEUED {
            let depth = self.world.embedded.queue.depth(step).await?;
            if depth.waiting + depth.in_hand + depth.delayed > 0 {
                return Ok(false);
            }
        }
        Ok(self.world.post.is_empty() && self.hosts.iter().all(|host| host.job.is_none()))
    }

    async fn is_quiet(&self) -> Result<bool, ChaosError> {
        // Cheap questions first: this is asked whenever nothing can be done.
        if !self.world.post.is_empty() || self.has_open_runs().await? || !self.waits().await?.is_empty() {
            return Ok(false);
        }
        Ok(self.world.pair.books.booked(&self.world.in_books).len() >= self.world.orders * 9 / 10)
    }
}

/// The waits of a host, without their chance.
fn wait_after(failure: &Failure, message: &Received) -> (Duration, bool) {
    let growing = |first: u64, factor: u64| {
        let times = message.received.saturating_sub(1).min(6);
        Duration::from_secs(first.saturating_mul(factor.saturating_pow(times)).min(1_800))
    };
    match failure {
        Failure::Retry { after: Some(after), .. } => (*after, false),
        Failure::Retry { reason: RetryReason::Busy, .. } => (growing(1, 2), false),
        Failure::Retry { reason: RetryReason::Throttled, .. } => (growing(10, 2), false),
        Failure::Retry { .. } => (growing(5, 4), false),
        _ => (growing(5, 4), true),
    }
}

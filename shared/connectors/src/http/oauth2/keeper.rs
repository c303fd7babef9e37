//! The one who renews tokens. Many processes may need a token at once; exactly one renews it, and no process can wipe
//! what another one got.
//!
//! The rules that keep a rotating token alive:
//! 1. Renew only under a lease, and only after reading the item again under that lease.
//! 2. The new set is stored before it is used and before the lease ends, on condition that nobody stored a newer one.
//! 3. Whoever finds the lease taken waits and reads again; it never renews on its own.
//! 4. An answer that got lost is asked for once more, at once, with the same refresh token.
//! 5. "Old token" means that somebody else may have been faster: read again; only when nothing newer appears the
//!    connection needs consent. Nothing is ever deleted.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::connection::Connection;
use koppel_core::error::RetryReason;
use koppel_core::ports::{Calls, Condition, Key, StoreError};
use koppel_core::{Cause, Failure};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::stored::{Lease, Stored};
use super::{Consent, TokenEndpoint, TokenError, TokenSet};
use crate::http::Deps;
use crate::http::client::TOTAL_TIMEOUT;

/// Two tries of one call, and time to store the result.
const LEASE: Duration = Duration::from_secs(2 * TOTAL_TIMEOUT.as_secs() + 30);
/// How often a waiting process looks.
const POLL: Duration = Duration::from_millis(100);
/// Longest wait of one process, in polls.
const POLLS: u32 = 900;
/// Looks for a newer token before an old one is called lost.
const LOOKS: u32 = 20;
/// Tries to store a new token set: losing it means a person must consent.
const STORE_TRIES: u32 = 8;

/// Keeps the tokens of one connection.
pub struct TokenKeeper {
    connection: String,
    key: Key,
    context: String,
    endpoint: Arc<dyn TokenEndpoint>,
    deps: Deps,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    current: Option<TokenSet>,
    /// A renewed set that the store did not take yet, with the generation it replaces.
    unsaved: Option<(TokenSet, u64)>,
}

/// What is stored, and under which version.
struct Seen {
    stored: Stored,
    condition: Condition,
}

#[async_trait::async_trait]
impl koppel_core::ports::Consent for TokenKeeper {
    fn authorize_url(&self, state: &str) -> Result<String, Failure> {
        Self::authorize_url(self, state)
    }

    async fn exchange_code(&self, code: &str, calls: &Calls) -> Result<(), Failure> {
        Self::exchange_code(self, code, calls).await
    }
}

impl TokenKeeper {
    /// A keeper of the connection's tokens.
    pub fn new(connection: &Connection, endpoint: Arc<dyn TokenEndpoint>, deps: &Deps) -> Self {
        let key = Key::new(&connection.tenant, &["token"], place(&connection.name, &endpoint.audience()));
        let context = format!("{}/{}", key.partition, key.sort);
        Self {
            connection: connection.name.clone(),
            key,
            context,
            endpoint,
            deps: deps.clone(),
            memory: Mutex::default(),
        }
    }

    /// An access token that can be used now.
    pub async fn access_token(&self, calls: &Calls) -> Result<String, Failure> {
        let mut memory = self.memory.lock().await;
        if memory.unsaved.is_none()
            && let Some(set) = memory.current.as_ref().filter(|set| !self.is_due(set))
        {
            return Ok(set.access.clone());
        }
        let set = self.current(&mut memory, calls, None).await.map_err(|failure| self.named(failure))?;
        Ok(set.access)
    }

    /// Another access token, after the system refused `refused`.
    ///
    /// A token that is too young to be renewed and is still refused was refused for another reason: that is an error of
    /// the connection, not a reason to call the token endpoint.
    pub async fn access_token_after_refusal(&self, refused: &str, calls: &Calls) -> Result<String, Failure> {
        let mut memory = self.memory.lock().await;
        let set = self.current(&mut memory, calls, Some(refused)).await.map_err(|failure| self.named(failure))?;
        Ok(set.access)
    }

    /// The address where a person consents; `state` comes back with the code and must be compared.
    pub fn authorize_url(&self, state: &str) -> Result<String, Failure> {
        self.endpoint.authorize_url(state)
    }

    /// Turns the code of a consent into stored tokens. This replaces whatever was stored before.
    pub async fn exchange_code(&self, code: &str, calls: &Calls) -> Result<(), Failure> {
        let mut memory = self.memory.lock().await;
        let set = self.endpoint.exchange_code(code, calls).await.map_err(|error| match error {
            TokenError::TooEarly(cause) | TokenError::Old(cause) | TokenError::Dead(cause) => {
                self.named(Failure::auth(cause.advice("start the consent again; a code works once and only shortly")))
            }
            TokenError::Lost(failure) | TokenError::Failed(failure) => self.named(failure),
        })?;
        // A consent is newer than anything, so it counts as the successor of whatever is stored at this moment.
        let generation = self.read().await?.stored.generation;
        self.save(set.clone(), generation, true).await.map_err(|failure| self.named(failure))?;
        *memory = Memory { current: Some(set), unsaved: None };
        Ok(())
    }

    /// Whether a person must consent.
    pub async fn consent(&self) -> Result<Consent, Failure> {
        Ok(self.read().await?.stored.consent)
    }

    /// How long ago the stored tokens were renewed; `None` when there are none.
    pub async fn stored_age(&self) -> Result<Option<chrono::TimeDelta>, Failure> {
        let stored = self.read().await?.stored;
        Ok(self.open(&stored).await?.map(|set| self.deps.clock.now() - set.issued_at))
    }

    /// Renews a token that nobody used for long, so that its refresh token does not die of age.
    pub async fn keep_alive(&self, older_than: Duration, calls: &Calls) -> Result<(), Failure> {
        let mut memory = self.memory.lock().await;
        let Some(set) = self.open(&self.read().await?.stored).await? else { return Ok(()) };
        if self.age(&set) >= older_than {
            self.current(&mut memory, calls, None).await.map_err(|failure| self.named(failure))?;
        }
        Ok(())
    }

    async fn current(&self, memory: &mut Memory, calls: &Calls, refused: Option<&str>) -> Result<TokenSet, Failure> {
        if let Some((set, generation)) = memory.unsaved.clone() {
            self.save(set.clone(), generation, false).await?;
            *memory = Memory { current: Some(set), unsaved: None };
        }
        for _ in 0..POLLS {
            let seen = self.read().await?;
            let set = self.open(&seen.stored).await?;
            if let Some(set) = &set
                && self.is_good(set, &seen.stored, refused)
            {
                memory.current = Some(set.clone());
                return Ok(set.clone());
            }
            if let Consent::Needed { cause, .. } = &seen.stored.consent {
                return Err(self.needs_consent(cause));
            }
            if let (Some(set), Some(refused)) = (&set, refused)
                && set.access == refused
                && self.age(set) < self.endpoint.min_age()
            {
                return Err(refused_fresh_token());
            }
            if seen.stored.is_leased(self.now()) {
                if calls.deadline.is_some_and(|deadline| self.now() >= deadline) {
                    return Err(busy());
                }
                tokio::time::sleep(POLL).await;
                continue;
            }
            if let Some(leased) = self.take_lease(seen).await? {
                return self.renew(memory, leased, calls, refused).await;
            }
        }
        Err(busy())
    }

    /// The stored set serves this caller as it is.
    fn is_good(&self, set: &TokenSet, stored: &Stored, refused: Option<&str>) -> bool {
        let alive = stored.consent == Consent::Given;
        match refused {
            Some(refused) => alive && set.access != refused && !self.is_due(set),
            None => alive && !self.is_due(set),
        }
    }

    /// Renews under the lease in `leased`.
    async fn renew(
        &self,
        memory: &mut Memory,
        leased: Seen,
        calls: &Calls,
        refused: Option<&str>,
    ) -> Result<TokenSet, Failure> {
        let before = self.open(&leased.stored).await?;
        // Read under the lease: another process may have renewed between our look and our lease.
        if let Some(set) = before.as_ref().filter(|set| self.is_good(set, &leased.stored, refused)) {
            self.release(leased).await;
            memory.current = Some(set.clone());
            return Ok(set.clone());
        }
        let generation = leased.stored.generation;
        match self.ask(before.as_ref(), calls).await {
            Ok(set) => {
                memory.unsaved = Some((set.clone(), generation));
                self.save(set.clone(), generation, false).await?;
                *memory = Memory { current: Some(set.clone()), unsaved: None };
                Ok(set)
            }
            Err(TokenError::TooEarly(cause)) => {
                self.release(leased).await;
                match before.filter(|set| refused != Some(set.access.as_str()) && self.is_usable(set)) {
                    Some(set) => Ok(set),
                    None => Err(Failure::retry(RetryReason::Busy, Some(Duration::from_secs(30)), cause)),
                }
            }
            Err(TokenError::Old(cause)) => self.after_old(memory, leased, cause).await,
            Err(TokenError::Dead(cause)) => Err(self.mark_dead(leased, cause).await),
            Err(TokenError::Lost(failure)) | Err(TokenError::Failed(failure)) => {
                self.release(leased).await;
                Err(plain_retry(failure))
            }
        }
    }

    /// Asks the endpoint, and once more when the answer got lost.
    async fn ask(&self, before: Option<&TokenSet>, calls: &Calls) -> Result<TokenSet, TokenError> {
        match self.ask_once(before, calls).await {
            Err(TokenError::Lost(failure)) => {
                tracing::warn!(connection = %self.connection, error = %failure, "token answer lost, asking once more");
                self.ask_once(before, calls).await
            }
            other => other,
        }
    }

    async fn ask_once(&self, before: Option<&TokenSet>, calls: &Calls) -> Result<TokenSet, TokenError> {
        if let Some(before) = before {
            return self.endpoint.refresh(before, calls).await;
        }
        match self.endpoint.first(calls).await? {
            Some(set) => Ok(set),
            None => Err(TokenError::Failed(self.never_connected())),
        }
    }

    /// An old token: wait for what the faster one stored.
    async fn after_old(&self, memory: &mut Memory, leased: Seen, cause: Cause) -> Result<TokenSet, Failure> {
        for _ in 0..LOOKS {
            let seen = self.read().await?;
            if seen.stored.generation > leased.stored.generation
                && let Some(set) = self.open(&seen.stored).await?
            {
                memory.current = Some(set.clone());
                return Ok(set);
            }
            tokio::time::sleep(POLL).await;
        }
        Err(self.mark_dead(leased, cause).await)
    }

    /// Marks the connection, unless something newer was stored meanwhile. The token itself stays where it is.
    async fn mark_dead(&self, leased: Seen, cause: Cause) -> Failure {
        let mut stored = leased.stored;
        stored.lease = None;
        stored.consent = Consent::Needed { since: self.now(), cause: cause.clone() };
        match self.put(&stored, leased.condition).await {
            Ok(_) => self.needs_consent(&cause),
            // Somebody stored something newer: come back and use it.
            Err(StoreError::ConditionFailed) => busy(),
            Err(error) => error.into(),
        }
    }

    /// Takes the lease; `None` when somebody else was faster.
    async fn take_lease(&self, seen: Seen) -> Result<Option<Seen>, Failure> {
        let mut stored = seen.stored;
        let until = self.now() + TimeDelta::from_std(LEASE).unwrap_or_default();
        stored.lease = Some(Lease { owner: Uuid::new_v4().to_string(), until });
        match self.put(&stored, seen.condition).await {
            Ok(version) => Ok(Some(Seen { stored, condition: Condition::Version(version) })),
            Err(StoreError::ConditionFailed) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives the lease back; when that fails it ends by itself.
    async fn release(&self, leased: Seen) {
        let mut stored = leased.stored;
        stored.lease = None;
        if let Err(error) = self.put(&stored, leased.condition).await {
            tracing::debug!(connection = %self.connection, %error, "the token lease ends by itself");
        }
    }

    /// Stores a new set as the successor of `replaces`. When somebody took over the lease meanwhile (this process was
    /// slow) the set is still the newest there is, so it is stored over the old one; never over a newer one.
    async fn save(&self, set: TokenSet, replaces: u64, by_consent: bool) -> Result<(), Failure> {
        let mut last = None;
        for turn in 0..STORE_TRIES {
            match self.save_once(&set, replaces, by_consent).await {
                Ok(()) => return Ok(()),
                Err(failure) => last = Some(failure),
            }
            tokio::time::sleep(Duration::from_millis(50 << turn.min(5))).await;
        }
        Err(last.unwrap_or_else(busy))
    }

    async fn save_once(&self, set: &TokenSet, replaces: u64, by_consent: bool) -> Result<(), Failure> {
        let seen = self.read().await?;
        let generation = if by_consent { seen.stored.generation.max(replaces) } else { replaces };
        if seen.stored.generation > generation {
            return Ok(());
        }
        let mut stored = Stored { generation: generation + 1, consent: Consent::Given, ..Stored::default() };
        stored.seal(self.deps.vault.as_ref(), &self.context, set).await?;
        self.put(&stored, seen.condition).await?;
        Ok(())
    }

    async fn read(&self) -> Result<Seen, Failure> {
        match self.deps.store.get(&self.key).await? {
            Some(item) => {
                Ok(Seen { stored: Stored::from_text(&item.value)?, condition: Condition::Version(item.version) })
            }
            None => Ok(Seen { stored: Stored::default(), condition: Condition::Absent }),
        }
    }

    async fn put(&self, stored: &Stored, condition: Condition) -> Result<u64, StoreError> {
        let text = stored.to_text().map_err(|failure| StoreError::Unavailable(failure.to_string()))?;
        self.deps.store.put(&self.key, &text, condition, None).await
    }

    async fn open(&self, stored: &Stored) -> Result<Option<TokenSet>, Failure> {
        stored.open(self.deps.vault.as_ref(), &self.context).await
    }

    fn now(&self) -> DateTime<Utc> {
        self.deps.clock.now()
    }

    fn age(&self, set: &TokenSet) -> Duration {
        (self.now() - set.issued_at).to_std().unwrap_or_default()
    }

    /// Time to renew: near its end, and old enough for the system to accept it.
    fn is_due(&self, set: &TokenSet) -> bool {
        let life = (set.expires_at - set.issued_at).to_std().unwrap_or_default();
        let ahead = self.endpoint.renew_ahead().min(life / 2);
        self.age(set) >= self.endpoint.min_age() && self.left(set) <= ahead
    }

    fn is_usable(&self, set: &TokenSet) -> bool {
        self.left(set) > self.endpoint.margin()
    }

    fn left(&self, set: &TokenSet) -> Duration {
        (set.expires_at - self.now()).to_std().unwrap_or_default()
    }

    fn named(&self, failure: Failure) -> Failure {
        failure.map_cause(|cause| cause.at_connection(&self.connection))
    }

    fn needs_consent(&self, cause: &Cause) -> Failure {
        Failure::auth(
            Cause::new("needs_consent", format!("the connection needs consent again: {}", cause.message))
                .advice(format!("run koppel connect {}", self.connection)),
        )
    }

    fn never_connected(&self) -> Failure {
        Failure::auth(
            Cause::new("never_connected", "nobody has given consent for this connection yet")
                .advice(format!("run koppel connect {}", self.connection)),
        )
    }
}

impl std::fmt::Debug for TokenKeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenKeeper").field("connection", &self.connection).finish_non_exhaustive()
    }
}

/// Where the tokens of a connection are kept. An audience is shortened: it may name a customer, and need not be read.
fn place(connection: &str, audience: &str) -> String {
    if audience.is_empty() {
        return connection.to_owned();
    }
    let hash = ring::digest::digest(&ring::digest::SHA256, audience.as_bytes());
    let short: String = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{connection}/{short}")
}

fn busy() -> Failure {
    Failure::retry(
        RetryReason::Busy,
        Some(Duration::from_secs(5)),
        Cause::new("token_busy", "another process renews the token of this connection"),
    )
}

fn refused_fresh_token() -> Failure {
    Failure::auth(
        Cause::new("token_refused", "the system refuses an access token that it has just issued")
            .advice("check that the user who gave consent may use this administration and these parts of it"),
    )
}

/// A token call never writes a document: for the work that waits for it nothing has an unknown outcome.
fn plain_retry(failure: Failure) -> Failure {
    match failure {
        Failure::Retry { after, reason: RetryReason::OutcomeUnknown, cause } => {
            Failure::Retry { after, reason: RetryReason::Unavailable, cause }
        }
        other => other,
    }
}

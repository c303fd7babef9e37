//! The SQLite file and the threads that talk to it, so that no asynchronous thread ever waits for a disk.
//!
//! One thread writes and one thread reads. The writer takes everything that is waiting and commits it as one
//! transaction: under load a hundred small writes cost one flush to disk instead of a hundred. Each piece of work has
//! its own savepoint and its own answer, and nobody hears "done" before the commit is on disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use koppel_core::error::RetryReason;
use koppel_core::ports::StoreError;
use koppel_core::{Cause, Failure};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use super::schema;

/// Most pieces of work in one transaction: bounds how long the first of them waits for its answer.
const BATCH: usize = 256;
/// How long a transaction waits for another process that is writing to the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(20);
/// Tries to switch a new file to write-ahead logging while another process does the same.
const OPEN_TRIES: u32 = 40;

/// What goes wrong with the database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// Another process kept the file locked.
    #[error("the database is locked by another process: {0}")]
    Busy(String),
    /// SQLite reports an error (disk full, damaged file, …).
    #[error("the database failed: {0}")]
    Failed(String),
    /// The file was written by a newer version.
    #[error("the database has schema version {found}, this program knows up to {known}")]
    TooNew {
        /// Version in the file.
        found: i64,
        /// Version of this program.
        known: i64,
    },
    /// The database thread has ended.
    #[error("the database was closed")]
    Closed,
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl From<DatabaseError> for StoreError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Busy(_) => Self::Throttled(error.to_string()),
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::TooNew { .. } => Self::settings(
                Cause::new("database_too_new", error.to_string()).advice("use the newer program with this database"),
            ),
            DatabaseError::Busy(_) => Self::retry(RetryReason::Busy, None, Cause::new("database", error.to_string())),
            _ => Self::retry(RetryReason::Unavailable, None, Cause::new("database", error.to_string())),
        }
    }
}

/// Work for a thread: gets the connection (or why there is none) and returns how to answer once it is settled.
type Work = Box<dyn FnOnce(Result<&Connection, DatabaseError>) -> Answer + Send>;
/// Tells the one who asked: with `Ok` the result of the work, with `Err` that nothing was committed.
type Answer = Box<dyn FnOnce(Result<(), DatabaseError>) + Send>;

/// The database of one process.
pub struct Database {
    writer: Lane,
    /// None in memory, where there is only one connection.
    reader: Option<Lane>,
}

impl Database {
    /// Opens or creates the file.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        restrict(path)?;
        let connection = open_file(path)?;
        schema::migrate(&connection)?;
        let reading = open_file(path)?;
        reading.pragma_update(None, "query_only", true)?;
        Ok(Self {
            writer: Lane::start("koppel-db-write", move |inbox| write_loop(&connection, &inbox))?,
            reader: Some(Lane::start("koppel-db-read", move |inbox| read_loop(&reading, &inbox))?),
        })
    }

    /// A database that ends with the process.
    pub fn in_memory() -> Result<Self, DatabaseError> {
        let connection = Connection::open_in_memory()?;
        keep_statements(&connection)?;
        schema::migrate(&connection)?;
        Ok(Self { writer: Lane::start("koppel-db-write", move |inbox| write_loop(&connection, &inbox))?, reader: None })
    }

    /// Runs `work` in a transaction and returns its result once that is on disk. Work that fails leaves no trace.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        ask(&self.writer, move |connection| in_savepoint(connection, work)).await
    }

    /// Runs `work` that only reads; it sees everything that was answered before.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        ask(self.reader.as_ref().unwrap_or(&self.writer), move |connection| guarded(connection, work)).await
    }

    /// Writes from a thread that may wait: for the few things that happen while the engine is opened.
    pub fn now<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        let (tell, hear) = mpsc::channel();
        self.writer.submit(package(
            move |connection| in_savepoint(connection, work),
            move |result| {
                let _ = tell.send(result);
            },
        ))?;
        hear.recv().map_err(|_| DatabaseError::Closed)?
    }
}

async fn ask<T: Send + 'static>(
    lane: &Lane,
    work: impl FnOnce(&Connection) -> Result<T, DatabaseError> + Send + 'static,
) -> Result<T, DatabaseError> {
    let (tell, hear) = oneshot::channel();
    lane.submit(package(work, move |result| {
        // Nobody listens any more when the caller was cancelled; what was committed stays committed.
        let _ = tell.send(result);
    }))?;
    hear.await.map_err(|_| DatabaseError::Closed)?
}

fn package<T: Send + 'static>(
    work: impl FnOnce(&Connection) -> Result<T, DatabaseError> + Send + 'static,
    tell: impl FnOnce(Result<T, DatabaseError>) + Send + 'static,
) -> Work {
    Box::new(move |connection| {
        let result = connection.and_then(work);
        Box::new(move |settled| tell(settled.and(result)))
    })
}

/// A thread with an inbox. Dropping it finishes what is in the inbox and closes the connection.
struct Lane {
    inbox: Option<mpsc::Sender<Work>>,
    thread: Option<JoinHandle<()>>,
}

impl Lane {
    fn start(name: &str, run: impl FnOnce(mpsc::Receiver<Work>) + Send + 'static) -> Result<Self, DatabaseError> {
        let (inbox, outbox) = mpsc::channel();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || run(outbox))
            .map_err(|error| DatabaseError::Failed(format!("no thread for the database: {error}")))?;
        Ok(Self { inbox: Some(inbox), thread: Some(thread) })
    }

    fn submit(&self, work: Work) -> Result<(), DatabaseError> {
        self.inbox.as_ref().and_then(|inbox| inbox.send(work).ok()).ok_or(DatabaseError::Closed)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        drop(self.inbox.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read_loop(connection: &Connection, inbox: &mpsc::Receiver<Work>) {
    while let Ok(work) = inbox.recv() {
        work(Ok(connection))(Ok(()));
    }
}

fn write_loop(connection: &Connection, inbox: &mpsc::Receiver<Work>) {
    while let Ok(first) = inbox.recv() {
        if let Err(error) = run_cached(connection, "BEGIN IMMEDIATE") {
            first(Err(error.into()))(Ok(()));
            continue;
        }
        let mut answers = vec![first(Ok(connection))];
        // A full disk or a damaged page makes SQLite end the whole transaction by itself: nothing of it stands then.
        while answers.len() < BATCH && !connection.is_autocommit() {
            let Ok(next) = inbox.try_recv() else { break };
            answers.push(next(Ok(connection)));
        }
        let settled = commit(connection);
        for answer in answers {
            answer(settled.clone());
        }
    }
}

fn commit(connection: &Connection) -> Result<(), DatabaseError> {
    if connection.is_autocommit() {
        return Err(DatabaseError::Failed("the transaction was rolled back".to_owned()));
    }
    run_cached(connection, "COMMIT").map_err(|error| {
        if !connection.is_autocommit() {
            let _ = connection.execute_batch("ROLLBACK");
        }
        error.into()
    })
}

fn run_cached(connection: &Connection, statement: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(statement)?.execute([])?;
    Ok(())
}

fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, DatabaseError> {
    run_cached(connection, "SAVEPOINT work")?;
    let result = guarded(connection, work);
    if result.is_err() && !connection.is_autocommit() {
        run_cached(connection, "ROLLBACK TO work")?;
    }
    if !connection.is_autocommit() {
        run_cached(connection, "RELEASE work")?;
    }
    result
}

// A panic in one piece of work must not end the thread that serves all the others.
fn guarded<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, DatabaseError> {
    match catch_unwind(AssertUnwindSafe(|| work(connection))) {
        Ok(result) => result.map_err(DatabaseError::from),
        Err(_) => Err(DatabaseError::Failed("a piece of database work panicked".to_owned())),
    }
}

fn open_file(path: &Path) -> Result<Connection, DatabaseError> {
    let mut tries = 0;
    loop {
        match try_open(path) {
            // Two processes that create the same file at once: SQLite does not wait for this particular lock.
            Err(DatabaseError::Busy(_)) if tries < OPEN_TRIES => {
                tries += 1;
                thread::sleep(Duration::from_millis(25));
            }
            other => return other,
        }
    }
}

fn try_open(path: &Path) -> Result<Connection, DatabaseError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    keep_statements(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // FULL flushes the log at every commit: what was acknowledged survives a power cut, not only a crash.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // After a burst the log goes back to a sane size.
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    // What was deleted is overwritten, so that erased data does not linger in free pages.
    connection.pragma_update(None, "secure_delete", "FAST")?;
    Ok(connection)
}

/// A statement is prepared once: with a stable plan, SQLite does not prepare it anew for each value that is bound to it.
fn keep_statements(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Creates the file readable by its owner only; SQLite gives its side files the same rights.
fn restrict(path: &Path) -> Result<(), DatabaseError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path).map(drop).map_err(|error| DatabaseError::Failed(error.to_string()))
}

//! A small HTTP server: answers as a closure says, remembers what it saw, and notes every breach of the metadata.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::contract;

/// One request.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub headers: BTreeMap<String, String>,
    pub text: String,
    pub url_length: usize,
}

impl Seen {
    pub fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    pub fn filter(&self) -> &str {
        self.query.get("$filter").map_or("", String::as_str)
    }

    /// The entity of the call, without division and key.
    pub fn entity(&self) -> &str {
        let rest = self.path.strip_prefix("/api/v1/").unwrap_or(&self.path);
        let rest = if rest.starts_with("current/") { rest } else { rest.split_once('/').map_or(rest, |(_, e)| e) };
        rest.split('(').next().unwrap_or(rest)
    }

    /// `GET crm/Accounts`
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.entity())
    }
}

/// One answer.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    lost: bool,
}

impl Reply {
    pub fn json(status: u16, body: &str) -> Self {
        let headers = vec![("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned())];
        Self { status, headers, body: body.to_owned(), lost: false }
    }

    pub fn empty(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub fn page(status: u16) -> Self {
        let headers = vec![("Content-Type".to_owned(), "text/html".to_owned())];
        Self { status, headers, body: "<html><body>Onderhoud</body></html>".to_owned(), lost: false }
    }

    /// The connection breaks before the answer.
    pub fn lost() -> Self {
        Self { lost: true, ..Self::default() }
    }

    pub fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }
}

#[derive(Default)]
struct Memory {
    seen: Vec<Seen>,
    breaches: Vec<String>,
}

/// The server. When it goes away without a breach having been looked at, the test fails.
pub struct Server {
    pub url: String,
    memory: Arc<Mutex<Memory>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub async fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let memory: Arc<Mutex<Memory>> = Arc::default();
        let (shared, answer) = (Arc::clone(&memory), Arc::new(answer));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, answer) = (Arc::clone(&shared), Arc::clone(&answer));
                tokio::spawn(async move {
                    let _ = serve(stream, &shared, answer.as_ref()).await;
                });
            }
        });
        Self { url, memory, task }
    }

    /// What was asked since the last time.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.memory.lock().unwrap().seen)
    }

    /// What was asked since the last time, as `GET crm/Accounts`.
    pub fn lines(&self) -> Vec<String> {
        self.take().iter().map(Seen::line).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        if !std::thread::panicking() {
            let breaches = &self.memory.lock().unwrap().breaches;
            assert!(breaches.is_empty(), "against the metadata: {breaches:#?}");
        }
    }
}

async fn serve(
    mut stream: TcpStream,
    memory: &Mutex<Memory>,
    answer: &(impl Fn(&Seen) -> Reply + Send + Sync),
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let head = loop {
        let mut part = [0_u8; 4096];
        let read = stream.read(&mut part).await?;
        if read == 0 {
            return Ok(());
        }
        bytes.extend_from_slice(&part[..read]);
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let mut lines = text.lines();
    let first: Vec<String> = lines.next().unwrap_or_default().split(' ').map(str::to_owned).collect();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut body = bytes.split_off(head + 4);
    while body.len() < length {
        let mut part = [0_u8; 4096];
        let read = stream.read(&mut part).await?;
        body.extend_from_slice(&part[..read]);
    }
    let url = url::Url::parse(&format!("http://x{}", first[1])).unwrap();
    let seen = Seen {
        method: first[0].clone(),
        path: percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy().into_owned(),
        query: url.query_pairs().into_owned().collect(),
        headers,
        text: String::from_utf8_lossy(&body).into_owned(),
        url_length: first[1].len(),
    };
    let reply = answer(&seen);
    {
        let mut memory = memory.lock().unwrap();
        memory.breaches.extend(contract::breaches(&seen));
        memory.seen.push(seen);
    }
    if reply.lost {
        return Ok(());
    }
    let mut out =
        format!("HTTP/1.1 {} X\r\nConnection: close\r\nContent-Length: {}\r\n", reply.status, reply.body.len());
    for (name, value) in &reply.headers {
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    out.push_str("\r\n");
    out.push_str(&reply.body);
    stream.write_all(out.as_bytes()).await
}

//! Consent for a connection: the address to open, the code that comes back, the token that is kept.

use koppel_core::connection::Connection;
use koppel_core::ports::{Condition, Key};
use koppel_core::{Cause, Failure};
use koppel_flows::Engine;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// A consent must be brought back within this time.
const KEEP_STATE: chrono::TimeDelta = chrono::TimeDelta::minutes(30);
/// Longest head of a request or answer that is read.
const MAX_HEAD: usize = 16 * 1024;

/// A mark that comes back with the code: what was not started here is not accepted.
pub async fn new_state(engine: &Engine, connection: &Connection) -> Result<String, Failure> {
    let state = uuid::Uuid::new_v4().simple().to_string();
    let expires = engine.clock.now() + KEEP_STATE;
    engine.store.put(&state_key(connection), &state, Condition::Always, Some(expires)).await?;
    Ok(state)
}

/// Takes the code out of the address that the browser was sent to.
pub async fn code_of(engine: &Engine, connection: &Connection, address: &str) -> Result<String, Failure> {
    let wrong = |code: &str, message: String| {
        Failure::settings(
            Cause::new(code, message)
                .advice(format!("start again with koppel connect {}", connection.name))
                .at_connection(&connection.name),
        )
    };
    let text = address.trim().trim_matches(['"', '\'']);
    let url = Url::parse(text).map_err(|_| {
        wrong("bad_address", "what was pasted is not an address; paste the whole address the browser ended at".into())
    })?;
    let get = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    if let Some(error) = get("error") {
        let more = get("error_description").map(|text| format!(" ({text})")).unwrap_or_default();
        return Err(wrong("consent_refused", format!("consent was not given: {error}{more}")));
    }
    let code = get("code")
        .filter(|code| !code.is_empty())
        .ok_or_else(|| wrong("no_code", "the address holds no code".into()))?;
    let expected = engine.store.get(&state_key(connection)).await?.map(|item| item.value);
    if expected.is_none() || get("state") != expected {
        return Err(wrong("other_consent", "the address belongs to a consent that was not started here".into()));
    }
    engine.store.delete(&state_key(connection), Condition::Always).await?;
    Ok(code)
}

/// Waits on this machine for the browser to come back, and returns the address it asked for.
pub async fn wait_for_browser(listener: TcpListener, base: &Url) -> Result<String, Failure> {
    loop {
        let (mut stream, _) = listener.accept().await.map_err(|error| network(&error))?;
        let head = read_head(&mut stream).await.unwrap_or_default();
        let target = head.split_whitespace().nth(1).unwrap_or_default().to_owned();
        let wanted = target.split('?').next() == Some(base.path());
        let (status, page) = if wanted {
            ("200 OK", "Koppel has received the answer. You can close this page.")
        } else {
            ("404 Not Found", "Not here.")
        };
        let body = format!("<!DOCTYPE html><html><body><p>{page}</p></body></html>");
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        // Whether the browser shows the page does not matter for the code.
        let _ = stream.write_all(answer.as_bytes()).await;
        if wanted && let Ok(url) = base.join(&target) {
            return Ok(url.into());
        }
    }
}

/// Follows the consent address of a stand-in on this machine, which says yes by itself, and returns where it leads.
pub async fn agree(address: &str) -> Result<String, Failure> {
    let refused = |message: String| {
        Failure::settings(
            Cause::new("auto_consent", message)
                .advice("--auto is for a sandbox on this machine; leave it out and consent in a browser"),
        )
    };
    let url = Url::parse(address).map_err(|_| refused("the consent address cannot be read".into()))?;
    let host = url.host_str().unwrap_or_default().to_owned();
    if url.scheme() != "http" || !matches!(host.as_str(), "127.0.0.1" | "localhost" | "[::1]") {
        return Err(refused(format!("{host} is not a sandbox on this machine")));
    }
    let port = url.port_or_known_default().unwrap_or(80);
    let mut stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await.map_err(|error| {
        let cause = Cause::new("no_connection", format!("{host}:{port} does not accept a connection ({error})"));
        Failure::retry(koppel_core::error::RetryReason::Unavailable, None, cause)
    })?;
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let request = format!("GET {}{query} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n", url.path());
    stream.write_all(request.as_bytes()).await.map_err(|error| network(&error))?;
    let head = read_head(&mut stream).await.map_err(|error| network(&error))?;
    let location = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("location").then(|| value.trim().to_owned())
    });
    location
        .ok_or_else(|| refused(format!("{host}:{port} did not consent: {}", head.lines().next().unwrap_or_default())))
}

async fn read_head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    let mut part = [0_u8; 2048];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") && head.len() < MAX_HEAD {
        match stream.read(&mut part).await? {
            0 => break,
            read => head.extend_from_slice(&part[..read]),
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn state_key(connection: &Connection) -> Key {
    Key::new(&connection.tenant, &["consent"], &connection.name)
}

fn network(error: &std::io::Error) -> Failure {
    let cause = Cause::new("network", format!("the network of this machine failed: {error}"));
    Failure::retry(koppel_core::error::RetryReason::Unavailable, None, cause)
}

//! Requests a stand-in makes itself: webhooks it delivers, pictures it loads. Only addresses of this machine are called.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The real ones wait for a minute; tests do not.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest answer that is read.
const MOST_BYTES: u64 = 8 * 1024 * 1024;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Status.
    pub status: u16,
    /// `Content-Type`, "" when there was none.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

/// Sends a request without following redirects; None: no answer, or an address that is not one of this machine.
pub(crate) async fn send(method: &str, address: &str, headers: &[(&str, String)], body: &[u8]) -> Option<Fetched> {
    let url = url::Url::parse(address).ok().filter(|url| url.scheme() == "http")?;
    let host: IpAddr = match url.host()? {
        url::Host::Ipv4(ip) => ip.into(),
        url::Host::Ipv6(ip) => ip.into(),
        url::Host::Domain(name) => (name == "localhost").then(|| IpAddr::from([127, 0, 0, 1]))?,
    };
    if !host.is_loopback() {
        tracing::warn!(url = address, "only addresses of this machine are called");
        return None;
    }
    let socket = SocketAddr::new(host, url.port_or_known_default()?);
    let mut head = format!(
        "{method} {} HTTP/1.1\r\nHost: {socket}\r\nAccept: */*\r\nContent-Length: {}\r\nConnection: close\r\n",
        &url[url::Position::BeforePath..url::Position::AfterQuery],
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let exchange = async {
        let mut stream = TcpStream::connect(socket).await?;
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body).await?;
        let mut answer = Vec::new();
        (&mut stream).take(MOST_BYTES).read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    read(&tokio::time::timeout(TIMEOUT, exchange).await.ok()?.ok()?)
}

fn read(answer: &[u8]) -> Option<Fetched> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(answer.len());
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let header = |wanted: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim().to_owned())
    };
    let raw = answer.get(end + 4..).unwrap_or_default();
    let chunked = header("transfer-encoding").is_some_and(|how| how.eq_ignore_ascii_case("chunked"));
    let body = if chunked { joined(raw)? } else { raw.to_vec() };
    if header("content-length").and_then(|length| length.parse().ok()).is_some_and(|length: usize| length > body.len())
    {
        return None; // the answer was cut off
    }
    Some(Fetched { status, content_type: header("content-type").unwrap_or_default(), body })
}

/// Puts a body together that came in chunks.
fn joined(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(end + 2..end + 2 + size)?);
        rest = rest.get(end + 4 + size..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_in_chunks_or_not_at_all() {
        let whole = read(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 3\r\n\r\nabc").unwrap();
        assert_eq!((whole.status, whole.content_type.as_str(), whole.body), (200, "image/png", b"abc".to_vec()));
        let chunks =
            read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n").unwrap();
        assert_eq!(chunks.body, b"abc");
        assert_eq!(read(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc"), None);
    }
}

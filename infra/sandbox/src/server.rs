//! HTTP/1.1 (and TLS) front of one system. Speaks hyper directly, because a fault may have to close the connection
//! without an answer or in the middle of one, which a web framework does not let its handlers do.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::host::{Host, Outcome};
use crate::message::{Call, Reply};

/// The connection is to be closed now.
#[derive(Debug, thiserror::Error)]
#[error("connection closed by a fault rule")]
pub struct Closed;

/// Body of an answer: whole, or cut off.
pub struct Payload {
    data: Option<Bytes>,
    announced: u64,
    cut: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Payload {
    fn whole(body: Vec<u8>) -> Self {
        Self { announced: body.len() as u64, data: Some(body.into()), cut: None }
    }

    fn cut(mut body: Vec<u8>, at: usize) -> Self {
        let announced = body.len() as u64;
        body.truncate(at);
        // The pause lets the first part reach the client before the connection closes.
        let pause = tokio::time::sleep(Duration::from_millis(20));
        Self { announced, data: Some(body.into()), cut: Some(Box::pin(pause)) }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Closed;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Closed>>> {
        let this = self.get_mut();
        if let Some(data) = this.data.take().filter(|data| !data.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match &mut this.cut {
            None => Poll::Ready(None),
            Some(pause) => pause.as_mut().poll(cx).map(|()| Some(Err(Closed))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}

/// Serves until `stop` turns true; open connections end at once then, as when the process is killed.
pub async fn serve(listener: TcpListener, host: Arc<Host>, tls: Option<TlsAcceptor>, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, peer)) = accepted else { continue };
        let _ = stream.set_nodelay(true);
        let loopback = peer.ip().is_loopback();
        let (host, tls) = (Arc::clone(&host), tls.clone());
        connections.spawn(async move {
            match tls {
                None => connection(TokioIo::new(stream), host, false, loopback).await,
                Some(acceptor) => match acceptor.accept(stream).await {
                    Ok(stream) => connection(TokioIo::new(stream), host, true, loopback).await,
                    Err(error) => tracing::debug!(%error, "TLS handshake failed"),
                },
            }
        });
    }
    connections.shutdown().await;
}

async fn connection<IO>(io: IO, host: Arc<Host>, tls: bool, loopback: bool)
where
    IO: hyper::rt::Read + hyper::rt::Write + Unpin + Send,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let host = Arc::clone(&host);
        async move {
            let call = read(request, tls, loopback).await?;
            let head = call.method == "HEAD";
            match host.dispatch(call).await {
                Outcome::Answer(reply) => Ok(response(reply, None, head)),
                Outcome::Cut(reply, at) => Ok(response(reply, Some(at), head)),
                Outcome::Close => Err(Closed),
            }
        }
    });
    if let Err(error) = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await {
        tracing::debug!(%error, "connection ended");
    }
}

async fn read(request: Request<Incoming>, tls: bool, loopback: bool) -> Result<Call, Closed> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes().to_vec();
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    Ok(Call {
        method: parts.method.as_str().to_uppercase(),
        path: parts.uri.path().into(),
        query: parts.uri.query().unwrap_or_default().into(),
        headers,
        body,
        tls,
        loopback,
        fetched: Vec::new(),
    })
}

fn response(reply: Reply, cut: Option<usize>, head: bool) -> Response<Payload> {
    let mut builder = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        builder = builder.header(name, value);
    }
    let payload = match cut {
        _ if head => Payload::whole(Vec::new()),
        Some(at) => Payload::cut(reply.body, at),
        None => Payload::whole(reply.body),
    };
    builder.body(payload).unwrap_or_else(|error| failed(&error.to_string()))
}

fn failed(message: &str) -> Response<Payload> {
    let mut response = Response::new(Payload::whole(message.as_bytes().to_vec()));
    *response.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
    response
}

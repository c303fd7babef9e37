//! Every channel of alerts, listened to: a mail server, a chat channel, and the topic of the stack.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use koppel_core::Failure;
use koppel_flows::Engine;
use koppel_flows::alerts::Message;
use koppel_hosting::notify::{Channel, Notifier};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// What was told, whole, as each channel got it.
#[derive(Clone, Default)]
pub struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn push(&self, channel: &str, text: &str) {
        self.0.lock().unwrap().push(format!("{channel}: {text}"));
    }

    pub fn of(&self, channel: &str) -> Vec<String> {
        self.0.lock().unwrap().iter().filter(|text| text.starts_with(channel)).cloned().collect()
    }
}

/// The topic, which on AWS is published to with this subject and text.
struct Topic(Told);

#[async_trait]
impl Channel for Topic {
    fn name(&self) -> String {
        "sns topic alerts".to_owned()
    }

    async fn send(&self, message: &Message) -> Result<(), Failure> {
        self.0.push("sns", &format!("{}\n{}", message.subject, message.text));
        Ok(())
    }
}

/// Channels that are listened to.
pub struct Listening {
    /// The part of a configuration that sends there.
    pub yaml: String,
    /// The address of the chat channel, which is a secret.
    pub chat_url: String,
    /// What arrived.
    pub told: Told,
}

/// Listens on every channel.
pub async fn listen() -> Listening {
    let told = Told::default();
    let (mail, chat) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let (mail_port, chat_port) = (mail.local_addr().unwrap().port(), chat.local_addr().unwrap().port());
    let kept = told.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = mail.accept().await {
            take_mail(stream, &kept).await;
        }
    });
    let kept = told.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = chat.accept().await {
            take_chat(stream, &kept).await;
        }
    });
    let yaml = format!(
        "\nalerts:\n  email: {{ smtp: \"smtp://127.0.0.1:{mail_port}\", from: koppel@alerts.local, to: [merchant@alerts.local] }}\n  \
         slack: {{ url: \"${{env:CHAT}}\" }}\n  \
         digest: {{ at: \"07:30\", timezone: Europe/Amsterdam }}\n"
    );
    Listening { yaml, chat_url: format!("http://127.0.0.1:{chat_port}/services/T0marked/secret-of-the-chat"), told }
}

/// What sends, on all channels.
pub fn notifier(engine: &Engine, told: &Told) -> Notifier {
    Notifier::new(engine.clone()).with_topic(Arc::new(Topic(told.clone())))
}

async fn take_mail(stream: tokio::net::TcpStream, told: &Told) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 mail.local\r\n").await.unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        let verb = line.get(..4).unwrap_or_default().to_uppercase();
        if verb == "DATA" {
            write.write_all(b"354 go on\r\n").await.unwrap();
            let mut mail = String::new();
            while let Some(line) = lines.next_line().await.unwrap().filter(|line| line != ".") {
                mail = mail + &line + "\n";
            }
            told.push("email", &readable(&mail));
        }
        let answer = if verb == "QUIT" { "221 bye\r\n" } else { "250 fine\r\n" };
        if write.write_all(answer.as_bytes()).await.is_err() || verb == "QUIT" {
            return;
        }
    }
}

/// A mail with its text as a mail program shows it.
fn readable(mail: &str) -> String {
    let (head, body) = mail.split_once("\n\n").unwrap_or((mail, ""));
    if head.to_lowercase().contains("base64") {
        let bytes = STANDARD.decode(body.replace('\n', "")).unwrap();
        return format!("{head}\n\n{}", String::from_utf8(bytes).unwrap());
    }
    let joined = body.replace("=\n", "");
    let mut parts = joined.split('=');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let code = part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(&part.as_bytes()[2..]);
            }
            None => {
                bytes.push(b'=');
                bytes.extend_from_slice(part.as_bytes());
            }
        }
    }
    format!("{head}\n\n{}", String::from_utf8_lossy(&bytes))
}

async fn take_chat(stream: tokio::net::TcpStream, told: &Told) {
    let mut stream = BufReader::new(stream);
    let (mut length, mut line) = (0, String::new());
    while stream.read_line(&mut line).await.unwrap_or(0) > 2 {
        if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    told.push("slack", &String::from_utf8(body).unwrap());
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let _ = stream.get_mut().write_all(answer).await;
}

//! A folder with a configuration, a sandbox, and the binary to run in it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use koppel_sandbox::{Handle, Options, Sandbox};
use tempfile::TempDir;

/// A flow of orders, with the addresses of a sandbox.
const EXAMPLE: &str = include_str!("koppel.yaml");

/// One place to run commands in.
pub struct Bench {
    /// The folder.
    pub folder: TempDir,
    /// The sandbox; `None` while it is stopped.
    pub sandbox: Option<Handle>,
    ports: Vec<(String, u16)>,
}

impl Bench {
    /// An empty folder and a running sandbox.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut bench = Self { folder, sandbox: None, ports: Vec::new() };
        bench.start_sandbox().await;
        bench
    }

    /// A folder with the configuration of the example.
    pub async fn configured() -> Self {
        let bench = Self::start().await;
        bench.write(&bench.example());
        bench
    }

    /// Applied and connected.
    pub async fn connected() -> Self {
        let bench = Self::configured().await;
        bench.ok(&["apply"]);
        bench.ok(&["connect", "books", "--auto"]);
        bench
    }

    /// Starts the sandbox, on the same ports as before and with what it knew.
    pub async fn start_sandbox(&mut self) {
        let options = Options { ports: self.ports.iter().cloned().collect(), ..Options::default() };
        let handle = Sandbox::start(options.state(self.folder.path().join("sandbox"))).await.unwrap();
        let port = |url: &str| url.rsplit(':').next().unwrap().parse().unwrap();
        self.ports = handle.urls().into_iter().map(|(name, url)| (name.to_owned(), port(url))).collect();
        self.sandbox = Some(handle);
    }

    /// Stops the sandbox as when its process is killed.
    pub async fn stop_sandbox(&mut self) {
        self.sandbox.take().unwrap().stop().await;
    }

    /// The running sandbox.
    pub fn sandbox(&self) -> &Handle {
        self.sandbox.as_ref().unwrap()
    }

    /// The example with the addresses of this sandbox.
    pub fn example(&self) -> String {
        EXAMPLE
            .replace("http://127.0.0.1:18081", self.sandbox().woocommerce_url())
            .replace("http://127.0.0.1:18082", self.sandbox().exact_online_url())
    }

    /// Writes koppel.yaml.
    pub fn write(&self, text: &str) {
        std::fs::write(self.folder.path().join("koppel.yaml"), text).unwrap();
    }

    /// Runs the binary here, without a terminal.
    pub fn command(&self, arguments: &[&str]) -> Command {
        command(self.folder.path(), arguments)
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed, and returns what it printed.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (out, err) = texts(&output);
        assert!(output.status.success(), "koppel {}: {out}{err}", arguments.join(" "));
        out
    }

    /// Makes addresses and moments the same in every run.
    pub fn plain(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, port) in &self.ports {
            text = text.replace(&format!("127.0.0.1:{port}"), &format!("<{name}>"));
        }
        plain_moments(&text)
    }
}

/// The binary in a folder, with nothing of the environment that could change what it does.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_koppel"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// What a command printed on standard output and standard error.
pub fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// Replaces moments and run ids: digits that change from day to day.
fn plain_moments(text: &str) -> String {
    let shapes = [
        ("dddd-dd-dd dd:dd:dd UTC", "<moment>"),
        ("ddddddddTdddddddddZ", "<run>"),
        ("(d ms)", "(<time>)"),
        ("(dd ms)", "(<time>)"),
        ("(ddd ms)", "(<time>)"),
    ];
    let characters: Vec<char> = text.chars().collect();
    let mut plain = String::new();
    let mut at = 0;
    'next: while at < characters.len() {
        for (shape, word) in shapes {
            let shape: Vec<char> = shape.chars().collect();
            let here = characters.get(at..at + shape.len());
            let fits = here.is_some_and(|here| {
                here.iter().zip(&shape).all(|(c, s)| if *s == 'd' { c.is_ascii_digit() } else { c == s })
            });
            if fits {
                plain.push_str(word);
                at += shape.len();
                continue 'next;
            }
        }
        plain.push(characters[at]);
        at += 1;
    }
    plain
}

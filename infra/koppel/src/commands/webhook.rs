//! `koppel webhook`: registers a connection's webhooks in the shop, looks at them, and mends what is wrong.

use koppel_flows::webhooks::{self, Finding, Found};
use serde_json::json;

use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::output::Output;
use crate::place::{Place, known_connection};

/// Arguments of `webhook`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Register the webhooks that the flows of a connection need; a second time mends them
    Register {
        /// Connection, as in koppel.yaml
        connection: String,
        /// Where this host is reached: the stack's WebhookUrl, or the address in front of «koppel dev --listen»
        #[arg(long, value_name = "BASE")]
        url: String,
    },
    /// Say how the webhooks are, and let those deliver again that the shop has disabled
    Check {
        /// Connection, as in koppel.yaml
        connection: String,
    },
}

/// Runs the command.
pub async fn webhook(global: &Global, output: Output, args: &Args) -> Result<Exit, CliError> {
    let place = Place::open(global).await?;
    let config = place.config().await?.config;
    let (What::Register { connection, .. } | What::Check { connection }) = &args.what;
    known_connection(&config, connection)?;
    let findings = match &args.what {
        What::Register { url, .. } => {
            webhooks::register(&place.engine, &place.tenant, &config, connection, url).await?
        }
        What::Check { .. } => webhooks::check(&place.engine, &place.tenant, &config, connection).await?,
    };
    let url = webhooks::registration(&place.engine, &place.tenant, connection).await?.map(|known| known.url);
    output.text(&format!("{connection}: webhooks to {}", url.as_deref().unwrap_or_default()));
    for Finding { topic, was } in &findings {
        output.text(&format!("  {topic}  {}", was.text()));
    }
    if matches!(args.what, What::Check { .. }) && findings.iter().any(|finding| finding.was != Found::Good) {
        output.note("what was not told meanwhile is found by the next run of the flow");
    }
    output.document(&json!({ "connection": connection, "url": url, "webhooks": findings }));
    Ok(Exit::Done)
}

//! Verifies what shops tell and has the record read; answers before anything else is done.

use koppel_hosting::lambda;

// One request at a time and all of it waiting for others: threads would only cost memory and start-up time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve_webhook().await
}

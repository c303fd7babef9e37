//! Creates and updates in the target, and remembers what was delivered.

use koppel_core::message::Step;
use koppel_hosting::lambda;

// One message at a time and all of it waiting for others: threads would only cost memory and start-up time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve_step(Step::Write).await
}

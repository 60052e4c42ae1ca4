//! A release by hand: shift, look, roll back, promote.

use super::Stage;
use crate::error::{Error, Result};
use std::time::{Duration, Instant};

/// A minute of traffic passes in three seconds.
pub const SPEED: f64 = 20.0;

/// So many requests to the new version are waited for before its numbers are told.
const ENOUGH: f64 = 400.0;

/// How long they may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// The story's service.
const NAMESPACE: &str = "sockshop-production";

pub async fn tell(stage: &Stage<'_>) -> Result<()> {
    stage.say("A cluster on this machine, with traffic. carts has two colours; blue serves.").await;
    stage.run("status").await?;

    deploy(stage, "carts:0.6.3-err5").await?;
    stage.say("carts 0.6.3 is deployed as green, without traffic. A fifth of it, please:").await;
    stage.run("shift carts --weights 80/20").await?;
    stage.run("status carts").await?;
    observe(stage).await?;

    stage.say("Green answers one request in twenty with an error. Back, as it was:").await;
    stage.run("rollback carts").await?;

    deploy(stage, "carts:0.6.4").await?;
    stage.say("carts 0.6.4 mends it. Again, by name this time:").await;
    stage.run("shift carts --weights blue=80,green=20").await?;
    observe(stage).await?;

    stage.say("No errors. Green may have everything:").await;
    stage.run("promote carts --yes").await?;
    stage.run("status carts").await?;
    stage.run("history carts").await?;

    stage
        .say(
            "`tidegate rollback carts` would still put blue back. Try it yourself:\n\
             #   tidegate sandbox run -- bash    a shell with such a cluster; kubectl works in it, too\n\
             #   tidegate status -A              and then your own, from your own shell",
        )
        .await;
    Ok(())
}

async fn deploy(stage: &Stage<'_>, image: &str) -> Result<()> {
    Ok(stage.sandbox.set_image(NAMESPACE, "carts-green", "carts", &format!("docker.io/keptnexamples/{image}")).await?)
}

/// Waits until the new version has had enough requests since the last command, and tells how both sides answered.
async fn observe(stage: &Stage<'_>) -> Result<()> {
    let begun = Instant::now();
    let count = |workload: &str, code: &str| count(stage, workload, code);
    let before = (count("carts-blue", ".*"), count("carts-green", ".*"));
    let errors_before = (count("carts-blue", "5.."), count("carts-green", "5.."));
    loop {
        let blue = count("carts-blue", ".*") - before.0;
        let green = count("carts-green", ".*") - before.1;
        if green >= ENOUGH {
            let failed = |count: f64, of: f64| format!("{:.1}% of {of:.0} failed", 100.0 * count / of);
            let share = |part: f64| format!("{:.1}%", 100.0 * part / (blue + green));
            stage
                .say(&format!(
                    "What the clients see: blue {} ({}), green {} ({})",
                    share(blue),
                    failed(count("carts-blue", "5..") - errors_before.0, blue),
                    share(green),
                    failed(count("carts-green", "5..") - errors_before.1, green),
                ))
                .await;
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return Err(Error::failed(format!("only {green:.0} requests reached green within {} s", PATIENCE.as_secs())));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How many requests a deployment has answered with such a code, as Istio's metrics count them.
fn count(stage: &Stage<'_>, workload: &str, code: &str) -> f64 {
    let promql = format!(
        r#"sum(istio_requests_total{{reporter="source",destination_workload="{workload}",destination_workload_namespace="{NAMESPACE}",response_code=~"{code}"}})"#
    );
    stage.sandbox.query(&promql).first().map_or(0.0, |(_, value)| *value)
}

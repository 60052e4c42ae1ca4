//! The main story: a slow version stops in staging, a fast one reaches production.

use super::Stage;
use crate::error::Result;
use crate::exit;

/// Real time: the windows of gates are as long for the sandbox as for its user.
pub const SPEED: f64 = 1.0;

/// What is sent, and how long its numbers are looked at: seconds, where a real delivery takes minutes.
const SEND: &str = "send new-artifact --project sockshop --service carts --timeframe 8s --settle 2s --image";

pub async fn tell(stage: &Stage<'_>) -> Result<()> {
    stage.file("shipyard.yaml", include_str!("../../../fixtures/sockshop/shipyard.yaml"))?;
    stage.file("carts.yaml", include_str!("../../../fixtures/sockshop/carts.yaml"))?;
    stage.file("perfspec.json", include_str!("../../../fixtures/demo/perfspec.json"))?;
    stage.file("tests.yaml", include_str!("../../../fixtures/demo/tests.yaml"))?;

    stage.say("keptn's sock shop, on a cluster of this machine: dev, staging, production. The last two keep two versions.").await;
    stage.run("create project sockshop --shipyard shipyard.yaml").await?;
    stage.run("onboard service carts --project sockshop --deployment carts.yaml").await?;

    stage.say("What a version must stand: a load test in staging, and a mean response below 0.8 s.").await;
    stage.run("add-resource --project sockshop --service carts --resource tests.yaml").await?;
    stage.run("add-resource --project sockshop --service carts --resource perfspec.json").await?;

    stage.say("carts 0.6.1 answers after a second:").await;
    stage.ends(&format!("{SEND} carts:0.6.1"), i32::from(exit::GATE_FAILED)).await?;

    stage.say("It stopped in staging, before it had any traffic. Production was not touched. carts 0.6.2 is fast:").await;
    stage.run(&format!("{SEND} carts:0.6.2")).await?;

    stage.say("What runs where, and who gets the traffic:").await;
    stage.run("get services --project sockshop").await?;
    stage.run("status carts -n sockshop-production").await?;

    stage
        .say(
            "The version before still runs: `tidegate rollback carts -n sockshop-production` would put it back.\n\
             #   tidegate sandbox run --empty -- bash   a shell with such a cluster; try your own shipyard in it\n\
             #   tidegate demo traffic                  the weights alone: shift, look, roll back, promote\n\
             #   tidegate status -A                     and then your own cluster, from your own shell",
        )
        .await;
    Ok(())
}

//! `onboard service`.

use crate::cli::OnboardService;
use crate::commands::Context;
use crate::error::Result;

pub async fn run(_context: &Context, _arguments: OnboardService) -> Result<()> {
    Ok(())
}

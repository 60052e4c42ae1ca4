//! placeholder until the server is merged
pub async fn run(_: &super::Context, _: crate::cli::Sandbox) -> crate::error::Result<()> {
    Ok(())
}

//! placeholder until the server is merged
pub async fn run(_: &super::Context) -> crate::error::Result<()> {
    Ok(())
}

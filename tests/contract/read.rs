use crate::support::server::{Server, on_both};
use crate::support::*;

on_both! { reads_what_was_written }

fn reads_what_was_written(server: &Server) {
    let made = server.split("carts", &[("blue", Some(80)), ("green", Some(20))]);
    let read = server.rest.get(&server.service("carts")).ok();
    assert_eq!(read, made);
    assert_eq!(read["spec"]["http"][0]["route"][1]["weight"], json!(20));
}

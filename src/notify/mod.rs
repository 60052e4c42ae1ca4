//! Who is told of a delivery.

//! The examples run to their end, with the assertions they make.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[path = "../examples/confidential_guest.rs"]
mod confidential_guest;
#[path = "../examples/driver_flow.rs"]
mod driver_flow;
#[path = "../examples/restricted_pool.rs"]
mod restricted_pool;
#[path = "../examples/ring_driver.rs"]
mod ring_driver;

#[test]
fn a_driver_sends_and_receives() {
    driver_flow::main().unwrap();
}

#[test]
fn a_driver_keeps_its_ring_filled_and_survives_refusals() {
    ring_driver::main().unwrap();
}

#[test]
fn a_confidential_guest_bounces_through_shared_pages_and_grows() {
    confidential_guest::main().unwrap();
}

#[test]
fn two_devices_share_a_restricted_pool() {
    restricted_pool::main().unwrap();
}

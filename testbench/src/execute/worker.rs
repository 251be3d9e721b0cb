//! The worker of the bounce layer: it adds pools that were asked for, and gives back those that are not needed.

use std::rc::Rc;

use rebound_sim::host::Host;

use crate::driver::Mapper;

/// Cycles after which it looks again whether there is something to do.
const PERIOD_CYCLES: u64 = 500;

/// Works for ever: to be started in the background.
pub(super) async fn run(host: Host, mapper: Rc<Mapper>) {
    loop {
        host.sleep(PERIOD_CYCLES).await;
        mapper.run_pending_work();
    }
}

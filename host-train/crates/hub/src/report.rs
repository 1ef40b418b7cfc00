//! What the hub tells people; the seam between the core and a terminal.

use crate::boards::BoardChange;
use crate::ingest::Received;

/// Receives everything worth telling. Implementations must not block: alarms wait behind them.
pub trait Reporter {
    /// A record was stored for the first time, under this row id.
    fn stored(&mut self, id: i64, received: &Received);

    /// A board changed its state.
    fn board(&mut self, change: &BoardChange);

    /// Something else that an operator should know.
    fn notice(&mut self, text: &str);
}

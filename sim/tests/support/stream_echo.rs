//! A register stage between two streams: what comes in goes out one cycle later.

use rebound_sim::device_port::{PortShape, PortShapes};
use rebound_sim::pins::AxiStreamPins;

use super::{Block, FakeDevice, Stopped};

#[derive(Debug)]
pub struct StreamEcho {
    block: Block,
    bytes: u32,
    held: Option<AxiStreamPins>,
    /// Beats that broke a rule of the stream, as text.
    pub faults: Vec<String>,
    waiting: Option<AxiStreamPins>,
}

crate::pin_device!(StreamEcho);

impl StreamEcho {
    pub fn new(bytes: u32) -> Self {
        let mut echo = Self {
            block: Block::default(),
            bytes,
            held: None,
            faults: Vec::new(),
            waiting: None,
        };
        echo.block = Block::new(&echo.shapes());
        echo
    }

    /// A source must hold what it presents until it is taken, and keep unused lanes zero.
    fn check(&mut self, input: &AxiStreamPins) {
        if let Some(before) = self.waiting.take()
            && (before.data, before.keep, before.last, before.valid)
                != (input.data, input.keep, input.last, input.valid)
        {
            self.faults
                .push(format!("changed while waiting: {before:?}"));
        }
        if input.valid == 0 {
            return;
        }
        let keep = u128::from(input.keep[1]) << 64 | u128::from(input.keep[0]);
        let full = u128::MAX >> (128 - self.bytes);
        if keep & !full != 0
            || (input.last == 0 && keep != full)
            || keep & keep.wrapping_add(1) != 0
        {
            self.faults
                .push(format!("keep {keep:#x} with last {}", input.last));
        }
        if input.ready == 0 {
            self.waiting = Some(*input);
        }
    }
}

impl FakeDevice for StreamEcho {
    fn shapes(&self) -> PortShapes {
        PortShapes {
            streams_out: vec![PortShape::new("out", self.bytes)],
            streams_in: vec![PortShape::new("in", self.bytes)],
            ..PortShapes::default()
        }
    }

    fn block(&self) -> &Block {
        &self.block
    }

    fn block_mut(&mut self) -> &mut Block {
        &mut self.block
    }

    fn cycle(&mut self) -> Result<(), Stopped> {
        let ready = self.block.streams_out[0].ready;
        let mut output = self.held.unwrap_or_default();
        output.ready = ready;
        self.block.streams_out[0] = output;
        // A pass-through ready, so that the stage takes a beat in each cycle.
        let input = &mut self.block.streams_in[0];
        input.ready = u8::from(self.held.is_none() || ready != 0);
        let input = *input;
        self.check(&input);
        if ready != 0 {
            self.held = None;
        }
        if input.valid != 0 && input.ready != 0 {
            self.held = Some(input);
        }
        Ok(())
    }
}

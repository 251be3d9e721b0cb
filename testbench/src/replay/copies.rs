//! Copies of a load that begin at other places of the trace and go round.

use crate::replay::load::Load;
use crate::replay::op::Op;
use crate::replay::run::ReplayError;
use crate::replay::spool::Cursor;
use crate::replay::whatif::Change;

/// A copy of the load that goes round the trace once.
pub(crate) struct Copy<'a> {
    cursor: Cursor<'a>,
    /// Operation at which it began.
    first: u64,
    /// Time that is added to make it begin at the trace's beginning, modulo its length.
    shift_ns: u64,
    has_wrapped: bool,
    next: Option<Op>,
}

pub(crate) fn copies<'a>(load: &'a Load, change: Change) -> Result<Vec<Copy<'a>>, ReplayError> {
    let survey = &load.survey;
    let mut stream = change.seed.stream("replay.scale");
    let mut copies = Vec::new();
    for copy in 0..change.scale.max(1) {
        let first = if copy == 0 {
            0
        } else {
            stream.below(load.ops.len())
        };
        let mut cursor = load.ops.cursor(first);
        let begin_ns = cursor.next_op()?.map_or(survey.first_ns, |op| op.time_ns);
        cursor.seek(first);
        let mut copy = Copy {
            cursor,
            first,
            shift_ns: begin_ns.saturating_sub(survey.first_ns),
            has_wrapped: false,
            next: None,
        };
        copy.advance(survey.last_ns - survey.first_ns)?;
        copies.push(copy);
    }
    Ok(copies)
}

impl Copy<'_> {
    /// Reads the next operation, going round at the end of the trace.
    fn advance(&mut self, length_ns: u64) -> Result<(), ReplayError> {
        self.next = self.cursor.next_op()?;
        if self.next.is_none() && !self.has_wrapped && self.first > 0 {
            self.has_wrapped = true;
            self.cursor.seek(0);
            self.next = self.cursor.next_op()?;
        }
        if self.has_wrapped && self.cursor.position() > self.first {
            self.next = None;
        }
        if let Some(op) = &mut self.next {
            let added = if self.has_wrapped { length_ns } else { 0 };
            op.time_ns = (op.time_ns + added).saturating_sub(self.shift_ns);
        }
        Ok(())
    }
}

/// An operation of a copy.
pub(crate) struct Turn {
    /// Number of the copy.
    pub(crate) copy: u16,
    /// Number of the operation in the load.
    pub(crate) position: u64,
    /// The operation at the copy's own time.
    pub(crate) op: Op,
}

/// Takes the earliest operation of all copies.
pub(crate) fn next_of(
    copies: &mut [Copy<'_>],
    length_ns: u64,
) -> Result<Option<Turn>, ReplayError> {
    let times = copies.iter().enumerate();
    let times = times.filter_map(|(index, copy)| Some((copy.next.as_ref()?.time_ns, index)));
    let Some((_, index)) = times.min() else {
        return Ok(None);
    };
    let position = copies[index].cursor.position() - 1;
    let op = copies[index].next.take();
    copies[index].advance(length_ns)?;
    let copy = u16::try_from(index).unwrap_or(u16::MAX);
    Ok(op.map(|op| Turn { copy, position, op }))
}

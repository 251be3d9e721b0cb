//! Each check of the scoreboard is fired by a planted fault, and stays silent without it.

use swiotlb::{DataDirection, DmaAddr, Fault, FaultReason, PhysAddr};

use super::*;
use crate::pattern::{self, Kind};

const PHYS: u64 = 0x1_8000_1000;
const DMA: u64 = 0x400_2000;
const BYTES: u64 = 100;
const SALT: u64 = 9;

struct Bench {
    board: Scoreboard,
    id: MappingId,
    right: Vec<u8>,
}

/// A board with one bounced mapping of one buffer.
fn bench(direction: DataDirection) -> Bench {
    let role = if direction.comes_from_device() {
        Role::Destination
    } else {
        Role::Source
    };
    let mut board = Scoreboard::new(vec![Buffer::new("buf0".into(), PHYS, BYTES, role, SALT)]);
    let right = pattern::filled(Kind::Source { round: 0 }, SALT, 0, 100);
    let id = board.mapped(Mapping {
        transfer: 7,
        buffer: 0,
        offset: 0,
        dma: DmaAddr::new(DMA),
        target: PhysAddr::new(DMA),
        is_bounced: true,
        direction,
        expected: right.clone(),
        previous: None,
        mapped_at: 5,
        cpu: 0,
    });
    Bench { board, id, right }
}

fn only(board: &Scoreboard) -> &Violation {
    assert_eq!(board.log().total(), 1, "{:?}", board.log().kept());
    &board.log().kept()[0]
}

#[test]
fn a_faultless_read_and_write_leave_no_violation() {
    let mut read = bench(DataDirection::ToDevice);
    // The last beat fetches past the end of the mapping, as a wide bus does.
    let mut data = read.right.clone();
    data.extend([0xee; 28]);
    for (beat, lanes) in data.chunks(64).enumerate() {
        read.board.observe_read(10, DMA + 64 * beat as u64, lanes);
    }
    read.board.unmapped(read.id, 20);
    read.board.finish(0, 30);
    assert_eq!(read.board.log().total(), 0, "{:?}", read.board.log().kept());

    let mut write = bench(DataDirection::FromDevice);
    write
        .board
        .observe_write(10, DMA, &write.right.clone(), |_| true);
    write.board.device_done(write.id, 0, BYTES, 11);
    write.board.unmapped(write.id, 20);
    write.board.buffer_mut(0).expect(0, &write.right);
    let found = write.board.buffers()[0].guarded().to_vec();
    write.board.judge_buffer(0, &found, Some(write.id), 21);
    write.board.finish(0, 30);
    assert_eq!(
        write.board.log().total(),
        0,
        "{:?}",
        write.board.log().kept()
    );
}

#[test]
fn a_wrong_byte_in_a_read_is_located() {
    let mut bench = bench(DataDirection::ToDevice);
    let mut data = bench.right[..64].to_vec();
    data[0x11] = 0x1b;
    bench.board.observe_read(18442, DMA, &data);
    let violation = only(&bench.board);
    assert_eq!(violation.check, Check::Data);
    assert_eq!(
        violation.to_string(),
        format!(
            "buf0+0x11 wrong in a device read: expected {:#04x}, found guard 0x1b \
             (buf0+0x11, phys 0x180001011, bounced at dma 0x4002011, cycle 18442)",
            bench.right[0x11]
        )
    );
    assert_eq!(violation.transfer, Some(7));
}

#[test]
fn a_wrong_byte_in_a_write_is_located() {
    let mut bench = bench(DataDirection::FromDevice);
    let mut data = bench.right[..8].to_vec();
    data[3] ^= 1;
    bench.board.observe_write(1, DMA, &data, |_| true);
    assert_eq!(only(&bench.board).check, Check::Data);
    assert_eq!(
        only(&bench.board).place.as_ref().map(|place| place.offset),
        Some(3)
    );
}

#[test]
fn a_read_of_bytes_from_before_the_hand_over_is_stale() {
    let mut bench = bench(DataDirection::ToDevice);
    let fresh = pattern::filled(Kind::Source { round: 1 }, SALT, 0, 100);
    bench.board.handed_over(bench.id, 0, &fresh);
    bench.board.observe_read(9, DMA, &bench.right[..64]);
    assert_eq!(only(&bench.board).check, Check::Stale);
}

#[test]
fn writing_a_to_device_mapping_breaks_its_direction() {
    let mut bench = bench(DataDirection::ToDevice);
    bench
        .board
        .observe_write(9, DMA + 4, &bench.right[4..8], |_| true);
    assert_eq!(only(&bench.board).check, Check::Direction);
    assert!(only(&bench.board).text.contains("device write of buf0+0x4"));
}

#[test]
fn reading_a_from_device_mapping_breaks_its_direction() {
    let mut bench = bench(DataDirection::FromDevice);
    bench.board.observe_read(9, DMA, &[0; 8]);
    assert_eq!(only(&bench.board).check, Check::Direction);
}

#[test]
fn a_read_after_unmap_tells_its_age() {
    let mut bench = bench(DataDirection::ToDevice);
    bench.board.unmapped(bench.id, 100);
    bench.board.observe_read(142, DMA + 8, &[0; 8]);
    let violation = only(&bench.board);
    assert_eq!(violation.check, Check::UseAfterUnmap);
    assert!(
        violation.text.contains("unmapped 42 cycles ago"),
        "{}",
        violation.text
    );
}

#[test]
fn a_write_past_the_end_tells_how_far() {
    let mut bench = bench(DataDirection::FromDevice);
    bench
        .board
        .observe_write(1, DMA + 96, &[bench.right[96]; 1], |_| true);
    bench.board.observe_write(2, DMA + 104, &[0; 8], |_| true);
    let violation = only(&bench.board);
    assert_eq!(violation.check, Check::PastEnd);
    assert!(
        violation.text.contains("found it 4 bytes further"),
        "{}",
        violation.text
    );
}

#[test]
fn a_beat_that_the_bus_refused_is_judged_by_its_address_alone() {
    let mut bench = bench(DataDirection::ToDevice);
    bench.board.observe_refused(false, 1, DMA + 8, 8);
    assert_eq!(bench.board.log().total(), 0);
    bench.board.observe_refused(false, 2, 0x1000, 8);
    assert_eq!(only(&bench.board).check, Check::Unmapped);
}

#[test]
fn strobes_decide_which_bytes_of_a_beat_are_written() {
    let mut bench = bench(DataDirection::FromDevice);
    let mut data = bench.right[96..100].to_vec();
    data.extend([0; 4]);
    bench
        .board
        .observe_write(1, DMA + 96, &data, |lane| lane < 4);
    assert_eq!(bench.board.log().total(), 0);
    bench
        .board
        .observe_write(2, DMA + 96, &data, |lane| lane > 3);
    assert_eq!(only(&bench.board).check, Check::PastEnd);
}

#[test]
fn an_access_elsewhere_is_explained_by_its_lost_address_bits() {
    let mut board = Scoreboard::new(vec![
        Buffer::new("tx0".into(), PHYS, BYTES, Role::Source, 1),
        Buffer::new("victim".into(), 0x8000_1000, 4096, Role::Bystander, 2),
    ]);
    board.mapped(Mapping {
        transfer: 0,
        buffer: 0,
        offset: 0,
        dma: DmaAddr::new(PHYS),
        target: PhysAddr::new(PHYS),
        is_bounced: false,
        direction: DataDirection::ToDevice,
        expected: vec![0; 100],
        previous: None,
        mapped_at: 0,
        cpu: 0,
    });
    board.observe_read(3, 0x8000_1008, &[0; 8]);
    let violation = only(&board);
    assert_eq!(violation.check, Check::Unmapped);
    assert_eq!(
        violation.to_string(),
        "device read of 8 bytes at dma 0x80001008: expected dma 0x180001008 of tx0+0x8, found only \
         its low 32 bits (victim+0x8, phys 0x80001008, dma 0x80001008, cycle 3)"
    );
}

#[test]
fn an_access_after_the_unmap_tells_its_age() {
    for (cycle, when) in [
        (20, "in the same cycle"),
        (21, "1 cycle ago"),
        (25, "5 cycles ago"),
    ] {
        let mut bench = bench(DataDirection::FromDevice);
        bench.board.unmapped(bench.id, 20);
        bench.board.observe_write(cycle, DMA, &[0; 8], |_| true);
        assert_eq!(only(&bench.board).check, Check::UseAfterUnmap);
        let text = &only(&bench.board).text;
        assert!(
            text.ends_with(&format!("found one unmapped {when}")),
            "{text}"
        );
    }
}

#[test]
fn an_access_elsewhere_is_explained_by_a_lost_carry() {
    let mut board = Scoreboard::new(vec![Buffer::new(
        "rx0".into(),
        0x2f_ff80,
        256,
        Role::Destination,
        1,
    )]);
    board.mapped(Mapping {
        transfer: 0,
        buffer: 0,
        offset: 0,
        dma: DmaAddr::new(0x2f_ff80),
        target: PhysAddr::new(0x2f_ff80),
        is_bounced: false,
        direction: DataDirection::FromDevice,
        expected: vec![0; 256],
        previous: None,
        mapped_at: 0,
        cpu: 0,
    });
    board.observe_write(3, 0x2f_0000, &[0; 8], |_| true);
    assert_eq!(only(&board).check, Check::Unmapped);
    assert!(
        only(&board)
            .text
            .contains("expected dma 0x300000 of rx0+0x80, found no carry"),
        "{}",
        only(&board).text
    );
}

#[test]
fn bytes_that_the_device_left_out_are_not_written() {
    let mut bench = bench(DataDirection::FromDevice);
    let data = bench.right.clone();
    bench
        .board
        .observe_write(1, DMA, &data, |lane| lane != 0x11 && lane != 0x12);
    bench.board.device_done(bench.id, 0, BYTES, 50);
    let violation = only(&bench.board);
    assert_eq!(violation.check, Check::NotWritten);
    assert!(
        violation.text.starts_with("buf0+0x11 not written"),
        "{}",
        violation.text
    );
    assert!(
        violation.text.contains("found 2 of 100"),
        "{}",
        violation.text
    );
}

#[test]
fn a_second_write_of_a_byte_is_reported() {
    let mut bench = bench(DataDirection::FromDevice);
    let data = bench.right[..16].to_vec();
    bench.board.observe_write(1, DMA, &data, |_| true);
    bench.board.observe_write(2, DMA + 8, &data[8..], |_| true);
    assert_eq!(only(&bench.board).check, Check::WrittenTwice);
}

#[test]
fn memory_is_judged_by_what_the_bytes_claim_to_be() {
    let cases = [
        (Role::Destination, 63, 0xaa, Check::Guard),
        (Role::Destination, 64 + 100, 0xaa, Check::Guard),
        (Role::Source, 64 + 3, 0x41, Check::SourceOverwritten),
        (Role::Bystander, 64 + 3, 0x41, Check::Guard),
        (Role::Destination, 64 + 3, 0x81, Check::Data),
    ];
    for (role, at, value, check) in cases {
        let buffer = Buffer::new("buf0".into(), PHYS, BYTES, role, SALT);
        let mut found = buffer.guarded().to_vec();
        found[at] = value;
        let mut board = Scoreboard::new(vec![buffer]);
        board.judge_buffer(0, &found, None, 1);
        assert_eq!(only(&board).check, check, "{role:?} at {at}");
    }
}

#[test]
fn a_destination_left_as_it_was_is_stale_if_the_device_wrote_it_and_else_not_written() {
    for is_written in [true, false] {
        let mut bench = bench(DataDirection::FromDevice);
        let found = bench.board.buffers()[0].guarded().to_vec();
        if is_written {
            let data = bench.right.clone();
            bench.board.observe_write(1, DMA, &data, |_| true);
        }
        bench.board.buffer_mut(0).expect(0, &bench.right);
        bench.board.judge_buffer(0, &found, Some(bench.id), 2);
        let check = if is_written {
            Check::Stale
        } else {
            Check::NotWritten
        };
        assert_eq!(only(&bench.board).check, check);
    }
}

#[test]
fn a_stream_is_compared_byte_by_byte_and_by_length() {
    for found in [&[1, 2, 4][..], &[1, 2], &[1, 2, 3, 4]] {
        let mut board = Scoreboard::default();
        board.judge_stream(0, "tx0", &[1, 2, 3], found, 9);
        assert_eq!(only(&board).check, Check::Stream);
    }
    let mut board = Scoreboard::default();
    board.judge_stream(0, "tx0", &[1, 2, 3], &[1, 2, 3], 9);
    assert_eq!(board.log().total(), 0);
}

#[test]
fn a_live_mapping_and_used_slots_at_the_end_are_leaks() {
    let mut bench = bench(DataDirection::ToDevice);
    bench.board.finish(0, 99);
    assert_eq!(only(&bench.board).check, Check::Leak);
    assert!(only(&bench.board).text.contains("mapped since cycle 5"));
    let mut board = Scoreboard::default();
    board.finish(3, 99);
    assert_eq!(only(&board).check, Check::Leak);
    assert!(only(&board).text.contains("found 3"));
}

#[test]
fn a_cpu_write_breaks_ownership_unless_the_buffer_was_taken_back() {
    for is_taken_back in [true, false] {
        let mut bench = bench(DataDirection::ToDevice);
        if is_taken_back {
            bench.board.synced(bench.id, HandOver::ForCpu, 10, 0, BYTES);
        }
        bench.board.cpu_wrote(20, 0, 4, 8);
        assert_eq!(bench.board.log().total(), u64::from(!is_taken_back));
        if !is_taken_back {
            let violation = only(&bench.board);
            assert_eq!(violation.check, Check::Ownership);
            assert!(
                violation.text.starts_with("X4 CPU write to a lent buffer"),
                "{violation}"
            );
            assert!(
                violation
                    .text
                    .contains("mapped TO_DEVICE by CPU 0 at cycle 5 (buf0)"),
                "{violation}"
            );
        }
    }
}

#[test]
fn a_device_write_to_memory_that_is_mapped_twice_breaks_ownership() {
    let mut bench = bench(DataDirection::FromDevice);
    bench.board.mapped(Mapping {
        transfer: 8,
        buffer: 0,
        offset: 50,
        dma: DmaAddr::new(DMA + 0x1000),
        target: PhysAddr::new(DMA + 0x1000),
        is_bounced: true,
        direction: DataDirection::ToDevice,
        expected: bench.right[50..].to_vec(),
        previous: None,
        mapped_at: 6,
        cpu: 1,
    });
    let right = bench.right.clone();
    bench.board.observe_write(9, DMA, &right[..50], |_| true);
    assert_eq!(bench.board.log().total(), 0);
    bench
        .board
        .observe_write(10, DMA + 50, &right[50..58], |_| true);
    assert_eq!(only(&bench.board).check, Check::Ownership);
    assert!(only(&bench.board).text.starts_with("X6"));
}

#[test]
fn addresses_given_out_again_in_flight_break_ownership() {
    for is_finished in [true, false] {
        let mut bench = bench(DataDirection::FromDevice);
        // A closed mapping keeps no bytes.
        let mapping = bench.board.ledger.entry(bench.id).mapping.clone();
        bench.board.device_started(bench.id);
        bench.board.unmapped(bench.id, 20);
        if is_finished {
            bench.board.device_finished(bench.id);
        }
        bench.board.mapped(mapping);
        assert_eq!(bench.board.log().total(), u64::from(!is_finished));
        if !is_finished {
            assert!(only(&bench.board).text.starts_with("X7 address reused"));
        }
    }
}

/// Announces that the device reads the page of the bench's mapping.
fn announced(right: Right) -> Bench {
    let mut bench = bench(DataDirection::ToDevice);
    bench.board.announce(Some(Overreach {
        id: bench.id,
        start: DMA,
        bytes: 4096,
        right,
    }));
    bench
}

fn fault(addr: u64) -> Fault {
    Fault {
        access: swiotlb::Access {
            iova: DmaAddr::new(addr),
            is_write: false,
            is_privileged: false,
        },
        reason: FaultReason::NotMapped,
        prot: None,
    }
}

#[test]
fn zeros_around_a_buffer_may_be_seen_and_other_bytes_may_not() {
    let mut bench = announced(Right::Zeros);
    let mut data = bench.right[96..].to_vec();
    data.extend([0; 28]);
    bench.board.observe_read(5, DMA + 96, &data);
    bench.board.observe_read(6, DMA + 0x800, &[0; 32]);
    assert_eq!(bench.board.log().total(), 0, "{:?}", bench.board.log());
    data[30] = 0x8b;
    bench.board.observe_read(7, DMA + 96, &data);
    let violation = only(&bench.board);
    assert_eq!(violation.check, Check::Exposed);
    assert_eq!(
        violation.to_string(),
        "memory visible to the device through the page of buf0+0x0: expected 0x00, found 0x8b \
         (phys 0x400207e, dma 0x400207e, cycle 7)"
    );
}

#[test]
fn what_lies_beyond_the_announced_pages_is_judged_as_ever() {
    let mut bench = announced(Right::Zeros);
    bench.board.observe_read(5, DMA + 4096, &[0; 8]);
    assert_eq!(only(&bench.board).check, Check::Unmapped);
    bench.board.announce(None);
    bench.board.observe_read(6, DMA + 0x800, &[0; 8]);
    assert_eq!(
        bench.board.log().total(),
        2,
        "nothing is announced any more"
    );
}

#[test]
fn an_announced_access_after_the_unmap_has_to_be_stopped() {
    let mut bench = announced(Right::Fault);
    bench.board.unmapped(bench.id, 10);
    bench.board.iommu_fault(&fault(DMA), 20);
    bench.board.observe_refused(false, 20, DMA, 8);
    assert_eq!(bench.board.log().total(), 0, "{:?}", bench.board.log());
    bench.board.observe_read(21, DMA, &[0; 8]);
    assert_eq!(only(&bench.board).check, Check::UseAfterUnmap);
}

#[test]
fn a_fault_of_the_iommu_tells_the_history_of_the_mapping() {
    let mut bench = bench(DataDirection::ToDevice);
    bench.board.unmapped(bench.id, 70);
    bench.board.iommu_fault(&fault(DMA + 8), 90);
    let violation = only(&bench.board);
    assert_eq!(violation.check, Check::Iommu);
    assert_eq!(
        violation.to_string(),
        "IOMMU fault: device read from I/O virtual 0x4002008: nothing is mapped there, buf0+0x0 was mapped by \
         CPU 0 at cycle 5 and is unmapped at cycle 70 \
         (buf0+0x8, phys 0x180001008, bounced at dma 0x4002008, cycle 90)"
    );
    assert_eq!(violation.transfer, Some(7));
    bench.board.iommu_fault(&fault(0x9000), 91);
    let never = &bench.board.log().kept()[1].text;
    assert!(
        never.ends_with("nothing is mapped there, and never was"),
        "{never}"
    );
}

#[test]
fn a_beat_that_reaches_another_address_than_that_of_its_mapping_is_led_astray() {
    let mut bench = bench(DataDirection::ToDevice);
    bench.board.judge_target(3, DMA + 8, PhysAddr::new(DMA + 8));
    bench.board.judge_target(4, DMA + 0x8000, PhysAddr::new(0));
    assert_eq!(bench.board.log().total(), 0, "{:?}", bench.board.log());
    bench.board.judge_target(5, DMA + 8, PhysAddr::new(DMA));
    let violation = only(&bench.board);
    assert_eq!(violation.check, Check::Iommu);
    assert!(
        violation
            .text
            .starts_with("beat for buf0+0x8 led astray: expected phys"),
        "{}",
        violation.text
    );
}

#[test]
fn coherent_memory_belongs_to_both_until_it_is_freed() {
    let mut board = Scoreboard::new(vec![Buffer::new(
        "ring0".into(),
        PHYS,
        BYTES,
        Role::Destination,
        SALT,
    )]);
    let data = pattern::filled(Kind::Source { round: 1 }, SALT, 0, 100);
    let id = board.allocated(Mapping {
        transfer: 0,
        buffer: 0,
        offset: 0,
        dma: DmaAddr::new(PHYS),
        target: PhysAddr::new(PHYS),
        is_bounced: false,
        direction: DataDirection::Bidirectional,
        expected: vec![0; 100],
        previous: None,
        mapped_at: 5,
        cpu: 0,
    });
    board.cpu_wrote(6, 0, 0, BYTES);
    board.handed_over(id, 0, &data);
    board.device_started(id);
    board.observe_read(7, PHYS, &data);
    board.cpu_read(8, 0, 0, BYTES);
    board.observe_write(9, PHYS, &data, |_| true);
    board.device_finished(id);
    board.device_done(id, 0, BYTES, 10);
    assert_eq!(board.log().total(), 0, "{:?}", board.log());
    board.finish(0, 20);
    assert_eq!(only(&board).check, Check::Leak);
    board.unmapped(id, 30);
    board.observe_write(40, PHYS, &[0], |_| true);
    assert_eq!(board.log().counts()[&Check::UseAfterUnmap], 1);
}

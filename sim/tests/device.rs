//! A loaded core: pins, reset, what it prints, breaks and ends with.

mod common;

use common::{build, command, device, probe, run_command, toolchain};
use rebound_sim::device::{Device, DeviceError};
use rebound_sim::verilate::CoreBuilder;

fn wire(device: &Device, name: &str) -> u64 {
    device.wires_out()[device
        .interfaces()
        .wire_out(name)
        .expect("a wire of the probe")]
}

#[test]
fn a_core_starts_in_reset_and_counts_once_released() {
    let mut device = Device::load(&build(&probe()), 1).expect("loads");
    for _ in 0..3 {
        device.step().expect("runs");
    }
    assert_eq!((device.cycle(), wire(&device, "count")), (3, 0));
    device.reset(2).expect("resets");
    device.step().expect("runs");
    assert_eq!(
        wire(&device, "count"),
        0,
        "outputs are those before the edge"
    );
    device.step().expect("runs");
    assert_eq!(wire(&device, "count"), 1);
}

#[test]
fn outputs_follow_inputs_of_the_same_cycle_and_constants_fill_absent_signals() {
    let mut device = device(&probe(), 1);
    run_command(&mut device, command::IRQ).expect("runs");
    assert_eq!(wire(&device, "irq"), 1);
    device.step().expect("runs");
    assert_eq!(wire(&device, "irq"), 0);
    let pins = device.managers()[0];
    assert_eq!(
        (pins.ar.burst, pins.ar.size, pins.ar.id, pins.ar.valid),
        (1, 3, 0, 0)
    );
    assert_eq!(device.streams_out()[0].keep[0], 0xff);
    assert_eq!(device.streams_out()[0].last, 1);
}

#[test]
fn the_bus_of_64_bits_carries_all_bits() {
    let mut device = device(&probe(), 1);
    run_command(&mut device, command::READ).expect("runs");
    device.step().expect("runs");
    let pins = &mut device.managers_mut()[0];
    assert_eq!((pins.ar.valid, pins.ar.addr), (1, 0xfedc_ba98_7654_3200));
    pins.rvalid = 1;
    pins.rdata[0] = 0x0123_4567_89ab_cdef;
    device.step().expect("runs");
    device.managers_mut()[0].rvalid = 0;
    run_command(&mut device, command::SEND).expect("runs");
    let stream = device.streams_out()[0];
    assert_eq!((stream.valid, stream.data[0]), (1, !0x0123_4567_89ab_cdef));
    assert_eq!(stream.data[1..], [0; 15]);
}

#[test]
fn the_bus_of_512_bits_carries_all_bits() {
    let wide = CoreBuilder {
        parameters: [("DataWidth".to_owned(), 512.into())].into(),
        ..probe()
    };
    let mut device = device(&wide, 1);
    assert_eq!(device.interfaces().managers[0].data_width, 512);
    assert_eq!(device.streams_out()[0].keep, [u64::MAX, 0]);
    let data: Vec<u64> = (1..=8).map(|word| word * 0x1111_2222_3333_4444).collect();
    let pins = &mut device.managers_mut()[0];
    pins.rvalid = 1;
    pins.rdata[..8].copy_from_slice(&data);
    pins.rdata[8..].fill(u64::MAX);
    device.step().expect("runs");
    device.managers_mut()[0].rvalid = 0;
    device.step().expect("runs");
    let inverted: Vec<u64> = data.iter().map(|word| !word).collect();
    assert_eq!(device.streams_out()[0].data[..8], inverted);
    assert_eq!(device.streams_out()[0].data[8..], [0; 8]);
}

#[test]
fn finish_and_stop_become_errors_with_their_place() {
    let end = |command| {
        let mut device = device(&probe(), 1);
        let error = run_command(&mut device, command).expect_err("the core ends");
        assert_eq!(device.step().expect_err("and stays so"), error);
        error
    };
    let error = end(command::FINISH);
    assert!(
        matches!(&error, DeviceError::Finish { cycle: 4, place, .. } if place.contains("probe.sv:")),
        "{error}"
    );
    let error = end(command::STOP);
    assert!(
        matches!(&error, DeviceError::Stop { cycle: 4, place, .. } if place.contains("probe.sv:")),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .starts_with("core probe ended the simulation with $stop in cycle 4 at "),
        "{error}"
    );
}

#[test]
fn a_fatal_error_of_the_core_is_an_error_with_its_text() {
    let mut device = device(&probe(), 1);
    let result = run_command(&mut device, command::FATAL);
    let text = if toolchain().version().tells_fatal_from_error() {
        match result {
            Err(DeviceError::Fatal { cycle: 4, text, .. }) => text,
            other => panic!("expected a fatal error in cycle 4, got {other:?}"),
        }
    } else {
        result.expect("taken for an $error");
        device.take_violations().remove(0).text
    };
    assert!(
        text.contains("probe.sv:") && text.contains("count is 0"),
        "{text}"
    );
}

#[test]
fn a_core_that_never_settles_is_an_error_and_not_a_hang() {
    let mut device = device(&probe(), 1);
    let error = run_command(&mut device, command::LOOP)
        .expect_err("it cannot settle")
        .to_string();
    assert!(error.contains("did not converge"), "{error}");
    assert!(device.step().is_err());
}

#[test]
fn failed_assertions_are_violations_and_the_run_goes_on() {
    let mut device = device(&probe(), 1);
    run_command(&mut device, command::ASSERT).expect("goes on");
    run_command(&mut device, command::ERROR).expect("goes on");
    assert!(device.has_violations());
    let violations = device.take_violations();
    let [assertion, error] = violations.as_slice() else {
        panic!("expected two, got {violations:?}")
    };
    assert_eq!(
        (assertion.port, assertion.rule.as_str(), assertion.cycle),
        (None, "assertion", 4)
    );
    assert!(
        assertion.text.contains("CommandIsAllowed_A"),
        "{}",
        assertion.text
    );
    assert_eq!(error.cycle, 5);
    assert!(error.text.contains("strange count 1"), "{}", error.text);
    assert!(!device.has_violations());
    assert_eq!((device.violation_total(), device.message_total()), (2, 0));
    device.step().expect("goes on");
}

#[test]
fn a_broken_bus_rule_is_a_violation_with_its_port() {
    let mut device = device(&probe(), 1);
    run_command(&mut device, command::WITHDRAW).expect("goes on");
    for _ in 0..3 {
        device.step().expect("goes on");
    }
    let violations = device.take_violations();
    let port = violations
        .first()
        .and_then(|violation| violation.port)
        .expect("one with a port");
    assert_eq!(device.interfaces().port_name(port), Some("m_axi"));
    assert!(violations[0].section.contains("IHI 0022"), "{violations:?}");
    assert!((5..=7).contains(&violations[0].cycle), "{violations:?}");
}

#[test]
fn without_rules_nothing_is_checked() {
    let mut device = device(
        &CoreBuilder {
            rules: false,
            ..probe()
        },
        1,
    );
    for command in [command::ASSERT, command::WITHDRAW] {
        run_command(&mut device, command).expect("goes on");
        device.step().expect("goes on");
        device.step().expect("goes on");
    }
    assert_eq!(device.take_violations(), []);
}

#[test]
fn violations_are_bounded_and_all_counted() {
    let mut device = device(&probe(), 1);
    for _ in 0..300 {
        run_command(&mut device, command::ASSERT).expect("goes on");
    }
    assert_eq!(device.take_violations().len(), 256);
    assert_eq!(device.violation_total(), 300);
}

#[test]
fn what_a_core_prints_is_collected() {
    let mut device = device(&probe(), 1);
    run_command(&mut device, command::DISPLAY).expect("goes on");
    assert_eq!(device.take_messages(), ["hello from cycle 0"]);
    for _ in 0..1500 {
        run_command(&mut device, command::DISPLAY).expect("goes on");
    }
    let messages = device.take_messages();
    assert_eq!((messages.len(), device.message_total()), (1000, 1501));
    assert_eq!(
        messages.last().map(String::as_str),
        Some("hello from cycle 1500"),
        "the newest are kept"
    );
}

#[test]
fn two_models_of_one_library_are_independent() {
    let library = build(&probe());
    let mut first = Device::load(&library, 1).expect("loads");
    let mut second = Device::load(&library, 1).expect("loads");
    first.reset(2).expect("resets");
    second.reset(2).expect("resets");
    for _ in 0..5 {
        first.step().expect("runs");
    }
    run_command(&mut first, command::STOP).expect_err("ends");
    second.step().expect("the other one runs on");
    assert_eq!((first.cycle(), second.cycle()), (8, 3));
}

#[test]
fn models_run_in_several_threads() {
    std::thread::scope(|scope| {
        for cycles in [100, 200] {
            scope.spawn(move || {
                let mut device = device(&probe(), 1);
                for _ in 0..cycles {
                    run_command(&mut device, command::ASSERT).expect("goes on");
                }
                assert_eq!(device.violation_total(), cycles);
            });
        }
    });
}

#[test]
fn random_reset_follows_the_seed() {
    let random = CoreBuilder {
        random_reset: true,
        ..probe()
    };
    let remembered = |seed| wire(&device(&random, seed), "remembered");
    assert_eq!(remembered(1), remembered(1));
    assert_ne!(remembered(1), remembered(2));
}

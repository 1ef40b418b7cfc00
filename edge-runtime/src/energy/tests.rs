//! Sensors of made-up machines.

use super::*;

fn set(sys: &Path, file: &str, value: impl ToString) {
    let file = sys.join("class").join(file);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, format!("{}\n", value.to_string())).unwrap();
}

fn package(sys: &Path, zone: &str, energy_uj: u64) {
    set(sys, &format!("powercap/{zone}/energy_uj"), energy_uj);
    set(sys, &format!("powercap/{zone}/max_energy_range_uj"), 10_000_000);
}

/// A channel of an INA3221.
fn channel(sys: &Path, chip: &str, channel: u8, label: &str, milliamperes: i32) {
    set(sys, &format!("hwmon/{chip}/name"), "ina3221");
    set(sys, &format!("hwmon/{chip}/in{channel}_label"), label);
    set(sys, &format!("hwmon/{chip}/in{channel}_input"), 5_000);
    set(sys, &format!("hwmon/{chip}/curr{channel}_input"), milliamperes);
}

/// Energy over one second, in which `change` happens at once.
fn drawn(sys: &Path, change: impl FnOnce()) -> Energy {
    let begin = Instant::now();
    let metering = EnergySensor::find(sys).unwrap().start_at(begin).unwrap();
    change();
    metering.finish_at(begin + Duration::from_secs(1)).unwrap()
}

fn assert_joules(energy: &Energy, expected: f64) {
    assert!((energy.joules - expected).abs() < 1e-9, "{energy:?} instead of {expected}");
}

#[test]
fn packages_are_added_and_their_parts_are_not() {
    let sys = tempfile::tempdir().unwrap();
    for zone in ["intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1"] {
        package(sys.path(), zone, 9_000_000);
    }
    let energy = drawn(sys.path(), || {
        package(sys.path(), "intel-rapl:0", 9_500_000);
        package(sys.path(), "intel-rapl:0:0", 9_400_000);
        package(sys.path(), "intel-rapl:1", 1_000_000);
    });
    assert_joules(&energy, 0.5 + 2.0);
    assert_eq!(energy.sensor, "RAPL, all processor packages");
}

#[test]
fn a_counter_may_begin_anew_between_samples() {
    let sys = tempfile::tempdir().unwrap();
    package(sys.path(), "intel-rapl:0", 0);
    let begin = Instant::now();
    let mut metering = EnergySensor::find(sys.path()).unwrap().start_at(begin).unwrap();
    for (second, energy_uj) in [(1, 6_000_000), (2, 2_000_000), (3, 8_000_000), (4, 4_000_000)] {
        package(sys.path(), "intel-rapl:0", energy_uj);
        metering.sample_at(begin + Duration::from_secs(second));
    }
    let energy = metering.finish_at(begin + Duration::from_secs(4)).unwrap();
    assert_joules(&energy, 24.0);
}

#[test]
fn powers_are_integrated_over_time() {
    let sys = tempfile::tempdir().unwrap();
    channel(sys.path(), "hwmon3", 1, "VDD_IN", 1_000);
    let begin = Instant::now();
    let at = |ms| begin + Duration::from_millis(ms);
    let mut metering = EnergySensor::find(sys.path()).unwrap().start_at(begin).unwrap();
    channel(sys.path(), "hwmon3", 1, "VDD_IN", 3_000);
    metering.sample_at(at(500));
    // Too early: not even read.
    channel(sys.path(), "hwmon3", 1, "VDD_IN", 900_000);
    metering.sample_at(at(549));
    channel(sys.path(), "hwmon3", 1, "VDD_IN", 3_000);
    let energy = metering.finish_at(at(1_500)).unwrap();
    assert_joules(&energy, (5.0 + 15.0) / 2.0 * 0.5 + 15.0);
}

#[test]
fn the_input_of_a_module_is_all_of_it() {
    let sys = tempfile::tempdir().unwrap();
    channel(sys.path(), "hwmon1", 2, "VDD_CPU_GPU_CV", 400);
    channel(sys.path(), "hwmon1", 1, "VDD_IN", 1_000);
    channel(sys.path(), "hwmon1", 3, "VDD_SOC", 300);
    let energy = drawn(sys.path(), || {});
    assert_joules(&energy, 5.0);
    assert_eq!(energy.sensor, "ina3221, VDD_IN");
}

#[test]
fn rails_of_both_chips_are_added_where_no_input_is_measured() {
    let sys = tempfile::tempdir().unwrap();
    channel(sys.path(), "hwmon2", 1, "VDD_GPU_SOC", 1_000);
    channel(sys.path(), "hwmon2", 2, "VDD_CPU_CV", 500);
    channel(sys.path(), "hwmon2", 7, "sum of shunt voltages", 77_000);
    channel(sys.path(), "hwmon10", 1, "NC", 9_000);
    channel(sys.path(), "hwmon10", 2, "VDDQ_VDD2_1V8AO", 100);
    // Switched off.
    set(sys.path(), "hwmon/hwmon10/in3_label", "VIN_SYS_5V0");
    let energy = drawn(sys.path(), || {});
    assert_joules(&energy, 8.0);
    assert_eq!(energy.sensor, "ina3221, VDD_GPU_SOC + VDD_CPU_CV + VDDQ_VDD2_1V8AO");
}

#[test]
fn another_chip_tells_watts_itself() {
    let sys = tempfile::tempdir().unwrap();
    set(sys.path(), "hwmon/hwmon0/name", "cpu_thermal");
    set(sys.path(), "hwmon/hwmon0/temp1_input", 45_000);
    set(sys.path(), "hwmon/hwmon1/name", "power_meter");
    set(sys.path(), "hwmon/hwmon1/power1_average", 12_000_000);
    set(sys.path(), "hwmon/hwmon2/name", "ina226");
    set(sys.path(), "hwmon/hwmon2/power1_input", 7_000_000);
    let energy = drawn(sys.path(), || {});
    assert_joules(&energy, 12.0);
    assert_eq!(energy.sensor, "power_meter, power1");
}

#[test]
fn counters_come_before_powers() {
    let sys = tempfile::tempdir().unwrap();
    channel(sys.path(), "hwmon1", 1, "VDD_IN", 1_000);
    package(sys.path(), "intel-rapl:0", 0);
    let energy = drawn(sys.path(), || package(sys.path(), "intel-rapl:0", 1_000_000));
    assert_joules(&energy, 1.0);
}

#[test]
fn a_machine_without_a_sensor_says_so() {
    let sys = tempfile::tempdir().unwrap();
    assert!(EnergySensor::find(sys.path()).is_none());
    std::fs::create_dir_all(sys.path().join("class/powercap/intel-rapl:0")).unwrap();
    std::fs::create_dir_all(sys.path().join("class/hwmon/hwmon0")).unwrap();
    assert!(EnergySensor::find(sys.path()).is_none(), "what may not be read is none");
}

#[test]
fn a_sensor_that_fails_on_the_way_measures_nothing() {
    let sys = tempfile::tempdir().unwrap();
    channel(sys.path(), "hwmon1", 1, "VDD_IN", 1_000);
    let begin = Instant::now();
    let mut metering = EnergySensor::find(sys.path()).unwrap().start_at(begin).unwrap();
    set(sys.path(), "hwmon/hwmon1/curr1_input", "");
    metering.sample_at(begin + Duration::from_secs(1));
    channel(sys.path(), "hwmon1", 1, "VDD_IN", 1_000);
    assert_eq!(metering.finish_at(begin + Duration::from_secs(2)), None);
}

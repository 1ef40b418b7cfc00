//! `watchpostd run`

use std::process::ExitCode;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::{Delivery, OnDiskFailure};
use crate::absence::Absence;
use crate::calibration::InForce;
use crate::cli::ConfigArg;
use crate::config::{Config, Pace, Source};
use crate::error::Error;
use crate::evidence::{About, Evidence};
use crate::faults::OpenFaults;
use crate::local_alarm::{Inputs, Siren};
use crate::model::Model;
use crate::onlookers::Onlookers;
use crate::orders::Orders;
use crate::page::{self, Page, Screen, Shown};
use crate::pipeline::{Board, CameraRunner, Configured, Outcome};
use crate::service::Service;
use crate::shutdown::Stop;
use crate::told::Voice;
use crate::watch::Watch;

/// How long the last alarms may take to reach the hub when every file has ended.
const DRAIN_AT_END_MS: u64 = 10_000;
/// Of pictures that commands ask for: they share a line that may be slow with the alarms.
const SNAPSHOT_SIDE_PX: u32 = 640;
/// The same after a signal.
const DRAIN_AT_SIGNAL_MS: u64 = 2_000;

pub(crate) fn run(args: &ConfigArg) -> Result<ExitCode, Error> {
    let config = Config::load(&args.config)?;
    if config.cameras.is_empty() {
        let reason = "no [[camera]]: add at least one, such as\n[[camera]]\nid = \"north\"\nsource = { kind = \"v4l\", device = \"/dev/video0\" }";
        return Err(Error::Incomplete { file: config.file, reason: reason.to_owned() });
    }
    let stop =
        Stop::on_signals().map_err(|e| Error::System { doing: "handle signals", reason: e.to_string() })?;
    let model = Model::load(&config.bundle, Some(&config.hardware), &config.tuning())?;
    model.tuned().log();
    let cameras: Vec<_> = config.cameras.iter().map(|camera| camera.id.clone()).collect();
    let orders = Arc::new(Orders::new(&cameras));
    let keeps_evidence = config.evidence.is_some();
    let voice = Voice { cameras, orders: Arc::clone(&orders), keeps_evidence };
    let delivery = Delivery::start(&config, model.short_id(), OnDiskFailure::Degrade, Some(&voice))?;
    tracing::info!(board = %config.board, site = %config.site, model = %model.title(), cameras = config.cameras.len(), boot = %delivery.desk.boot(), "watching");
    let siren = Siren::from_config(&config.outputs, &delivery.clock, &delivery.health);
    let siren = Arc::new(siren.map_err(Error::system("start the thread of an output"))?);
    let inputs = Inputs::start(&config.inputs, &siren, &delivery.clock, &delivery.health)
        .map_err(Error::system("start the thread of an input"))?;
    let outputs = Arc::clone(&siren);
    orders.on_acknowledge(Box::new(move || outputs.acknowledge()));
    let board = Arc::new(Board {
        desk: Arc::clone(&delivery.desk),
        siren: Arc::clone(&siren),
        clock: Arc::clone(&delivery.clock),
        health: Arc::clone(&delivery.health),
        orders,
        model: model.short_id(),
    });
    let evidence = config.evidence.as_ref().map(|e| Evidence::start(e, &delivery.clock, &delivery.health));
    let evidence = evidence.transpose().map_err(Error::system("start the thread that stores evidence"))?;
    let gaze = model.spec().attention.clone().map(|attention| (attention, input_px(&model)));
    let screens: Vec<_> = config
        .cameras
        .iter()
        .map(|camera| Arc::new(Screen::new(camera.id.clone(), camera.view.clone(), gaze.clone())))
        .collect();
    let (photographed, clock) = (screens.clone(), Arc::clone(&delivery.clock));
    board.orders.on_snapshot(Arc::new(move |camera| {
        let screen = photographed.iter().find(|screen| screen.is_of(camera));
        screen.ok_or("there is no such camera")?.snapshot(clock.as_ref(), SNAPSHOT_SIDE_PX)
    }));
    let page = config
        .page
        .as_ref()
        .map(|page| Page::start(page, shown(&config, &model, &delivery, &board, &screens), &delivery.clock));
    let page = page.transpose().map_err(Error::system("start the page's thread"))?;
    let cameras = start_cameras(&config, &model, &board, evidence.as_ref(), &screens, &stop)?;
    let service = Service::start(&delivery.desk, &delivery.health, &delivery.clock)
        .map_err(Error::system("start the thread that reports to the service manager"))?;
    let failed = cameras.into_iter().map(end_of).filter(|outcome| *outcome == Outcome::Failed).count();
    service.finish();
    page.into_iter().for_each(Page::finish);
    siren.finish();
    inputs.finish();
    evidence.into_iter().for_each(Evidence::finish);
    let wait_ms = if stop.is_set() { DRAIN_AT_SIGNAL_MS } else { DRAIN_AT_END_MS };
    let signalled = stop.is_set();
    let left = delivery.finish(wait_ms, &|| stop.is_set() != signalled);
    if left > 0 {
        tracing::warn!(left, "alarms stay in the outbox until the hub takes them");
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn start_cameras(
    config: &Config,
    model: &Model,
    board: &Arc<Board>,
    evidence: Option<&Evidence>,
    screens: &[Arc<Screen>],
    stop: &Stop,
) -> Result<Vec<JoinHandle<Outcome>>, Error> {
    let start = |(camera, screen): (&crate::config::CameraConfig, &Arc<Screen>)| {
        let InForce { calibrated, score, thresholds } = InForce::of(config, camera, model)?;
        if calibrated.is_stale() {
            tracing::warn!(camera = %camera.id, %calibrated, "threshold");
        } else {
            tracing::info!(camera = %camera.id, %calibrated, "threshold");
        }
        let recorder = evidence.map(|evidence| {
            // A file that is not watched in real time is in no hurry.
            let waits = matches!(camera.source, Source::Video { pace: Pace::Fast, .. });
            evidence.recorder(&camera.id, about(config, model), waits)
        });
        let runner = CameraRunner {
            config: camera.clone(),
            thresholds,
            configured: Configured::new(&score, thresholds),
            watch: Watch::new(model.detector(score)?, camera.view.clone(), camera.tolerated.clone()),
            is_armed: None,
            key: None,
            health: board.health.add_camera(camera.id.clone()),
            board: Arc::clone(board),
            stop: stop.clone(),
            faults: OpenFaults::default(),
            absence: Absence::of(&camera.source),
            onlookers: Onlookers {
                recorder: recorder
                    .transpose()
                    .map_err(Error::system("start the thread that records a camera"))?,
                screen: Some(Arc::clone(screen)),
            },
        };
        std::thread::Builder::new()
            .name(format!("camera {}", camera.id))
            .spawn(move || runner.run())
            .map_err(Error::system("start a camera's thread"))
    };
    config.cameras.iter().zip(screens).map(start).collect()
}

fn about(config: &Config, model: &Model) -> About {
    About {
        board: config.board.as_str().to_owned(),
        model: model.title(),
        attention: model.spec().attention.clone().map(|attention| (attention, input_px(model))),
    }
}

fn input_px(model: &Model) -> [u16; 2] {
    let preprocess = &model.spec().preprocess;
    [preprocess.width_px, preprocess.height_px]
}

fn shown(
    config: &Config,
    model: &Model,
    delivery: &Delivery,
    board: &Board,
    screens: &[Arc<Screen>],
) -> Shown {
    Shown {
        about: page::About {
            site: config.site.clone(),
            board: config.board.clone(),
            model: model.title(),
            short_id: model.short_id(),
            boot: delivery.desk.boot(),
        },
        health: Arc::clone(&delivery.health),
        desk: Arc::clone(&delivery.desk),
        link: delivery.link.as_ref().map(|link| Arc::clone(link.stats())),
        screens: screens.to_vec(),
        evidence: config.evidence.as_ref().map(|evidence| evidence.folder.clone()),
        orders: Arc::clone(&board.orders),
    }
}

fn end_of(camera: JoinHandle<Outcome>) -> Outcome {
    camera.join().unwrap_or(Outcome::Failed)
}

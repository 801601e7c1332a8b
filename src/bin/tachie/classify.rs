//! `tachie data classify-pairs`: which pictures are a character and its clothing.

use std::path::PathBuf;

use tachie::Result;
use tachie::data::prepare::clothing::classify::{
    ClassifierOptions, FilterOptions, LABELS, Labels, PairClassifier, RoundOptions, classify_round, filter_pairs,
};
use tachie::data::prepare::review::Decisions;
use tachie::rng::Seed;

/// Find out which pictures are pairs: label those that are asked for, let a classifier learn, and filter all of them
///
/// The first call asks about pictures drawn by chance: fill in the column "label" of labels.csv in the work folder (pair,
/// other, or ? where it cannot be said), or decide on the page ask-1.html (keep: a pair) and give what it saves to
/// --decisions. The next call trains a classifier, shows where it disagrees with a label, and asks about the pictures of which
/// it is least certain. Two or three rounds are enough mostly. Then --apply copies the pairs. No row of labels.csv is ever
/// changed or removed, and every call can be interrupted.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of pictures, with its sub-folders
    #[arg(long = "in", value_name = "DIR")]
    input: PathBuf,
    /// Folder of labels, contact sheets and classifiers, outside of the pictures
    #[arg(long, value_name = "DIR")]
    work: PathBuf,
    /// Labels that a round asks for; 0 asks for none
    #[arg(long, value_name = "N", default_value_t = RoundOptions::default().ask)]
    ask: usize,
    /// What a contact sheet has saved: pictures that are kept are pairs
    #[arg(long, value_name = "FILE")]
    decisions: Option<PathBuf>,
    /// Copy the pairs to this folder, with a list of what is dropped and why
    #[arg(long, value_name = "DIR")]
    apply: Option<PathBuf>,
    /// Probability from which a picture is a pair
    #[arg(long, value_name = "0-1", default_value_t = FilterOptions::default().threshold)]
    threshold: f64,
    /// Make hard links instead of copies
    #[arg(long, requires = "apply")]
    link: bool,
    /// Say what this classifier says of the pictures, and neither ask nor learn: scores.csv in the work folder
    #[arg(long, value_name = "FILE", conflicts_with_all = ["decisions", "apply"])]
    classifier: Option<PathBuf>,
    /// Network
    #[arg(long, value_enum, default_value = "small")]
    backbone: Network,
    /// Weights to start from: of torchvision's VGG-16 (.pth), .safetensors, or of `tachie import torch`
    #[arg(long, value_name = "FILE")]
    pretrained: Option<PathBuf>,
    /// Steps of training [default: 1000]
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Pictures per step [default: 32, with vgg16 16]
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// Largest learning rate [default: 0.002, with vgg16 0.00005]
    #[arg(long, value_name = "RATE")]
    rate: Option<f64>,
    /// Share of the labels that is not learned from
    #[arg(long, value_name = "0-0.5", default_value_t = RoundOptions::default().validation)]
    validation: f64,
    /// Do not show halves of pairs as what is none: for pairs that are not beside or above each other
    #[arg(long)]
    whole: bool,
    /// Seed of the first pictures, the weights and the training
    #[arg(long, value_name = "K", default_value_t = 0)]
    seed: u64,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Network {
    /// 0.2 million parameters, 64 px: two minutes on two cores
    Small,
    /// The paper's, 134 million parameters, 224 px
    Vgg16,
}

impl Args {
    fn options(&self) -> RoundOptions {
        let usual = match self.backbone {
            Network::Small => ClassifierOptions::default(),
            Network::Vgg16 => ClassifierOptions::vgg16(""),
        };
        let classifier = ClassifierOptions {
            seed: Seed(self.seed),
            steps: self.steps.unwrap_or(usual.steps),
            batch: self.batch.unwrap_or(usual.batch),
            rate: self.rate.unwrap_or(usual.rate),
            pretrained: self.pretrained.clone(),
            rearranged: !self.whole,
            ..usual
        };
        RoundOptions { classifier, ask: self.ask, validation: self.validation }
    }
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    if let Some(classifier) = &args.classifier {
        let (scores, report) = PairClassifier::open(classifier)?.score(&args.input, &args.work)?;
        let pairs = scores.iter().filter(|(_, probability)| *probability >= args.threshold).count();
        println!("{pairs} of {} pictures are pairs", scores.len());
        println!("{report}");
        return Ok(());
    }
    if let Some(decisions) = &args.decisions {
        let taken = Labels::open(args.work.join(LABELS))?.take(&Decisions::open(decisions)?)?;
        println!("{taken} labels taken from {}", decisions.display());
    }
    let options = args.options();
    let steps = options.classifier.steps;
    let progress = |step: usize, loss: f64| {
        if step.is_multiple_of(100) || step == steps {
            println!("step {step} of {steps}, loss {loss:.3}");
        }
    };
    match &args.apply {
        None => println!("{}", classify_round(&args.input, &args.work, &options, progress)?),
        Some(output) => {
            let filter = FilterOptions { threshold: args.threshold, link: args.link };
            println!("{}", filter_pairs(&args.input, &args.work, output, &options, &filter, progress)?);
        }
    }
    Ok(())
}

//! The terms that a player's loss consists of.

use candle_core::{DType, Tensor};

use crate::{Error, Result};

/// One term of a loss.
#[derive(Clone, Debug)]
pub struct Term {
    /// Short name (`adv`, `cls`, `gp`), the part after the slash in the history.
    pub name: String,
    /// The unweighted value, a scalar.
    pub value: Tensor,
    /// Its factor in the total.
    pub weight: f64,
}

/// The named terms of one player's loss, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct Losses {
    terms: Vec<Term>,
}

impl Losses {
    /// No terms yet.
    pub fn new() -> Losses {
        Losses::default()
    }

    /// Adds `weight · value` to the loss. The history shows the unweighted value.
    ///
    /// # Errors
    /// When `value` holds more than one number; when the name was used before or the weight is not finite.
    pub fn add(&mut self, name: &str, value: &Tensor, weight: f64) -> Result<&mut Losses> {
        if value.elem_count() != 1 {
            return Err(Error::shape(format!("loss term {name}"), value.dims(), "a scalar"));
        }
        if !weight.is_finite() {
            return Err(Error::invalid(
                format!("weight of loss term {name}"),
                weight.to_string(),
                "a finite number",
                "",
            ));
        }
        if self.terms.iter().any(|term| term.name == name) {
            return Err(Error::invalid("loss terms", format!("{name} twice"), "a name per term", ""));
        }
        self.terms.push(Term { name: name.to_string(), value: value.reshape(())?, weight });
        Ok(self)
    }

    /// Adds a number to look at (an accuracy, a mean logit) that trains nothing.
    ///
    /// # Errors
    /// As [`add`](Losses::add).
    pub fn watch(&mut self, name: &str, value: &Tensor) -> Result<&mut Losses> {
        self.add(name, &value.detach(), 0.0)
    }

    /// The terms, in order.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Σ weight · value, a scalar of shape `[]`, differentiable. Terms of weight 0 stay outside.
    ///
    /// # Errors
    /// When there is no term with a weight.
    pub fn total(&self) -> Result<Tensor> {
        let mut total: Option<Tensor> = None;
        for term in self.terms.iter().filter(|term| term.weight != 0.0) {
            let weighted = (&term.value * term.weight)?;
            total = Some(match total {
                None => weighted,
                Some(sum) => (sum + weighted)?,
            });
        }
        total.ok_or_else(|| Error::invalid("loss", "no term with a weight", "at least one", "Call `add`."))
    }

    /// Names and unweighted values, as numbers.
    ///
    /// # Errors
    /// When the device refuses to copy.
    pub fn values(&self) -> Result<Vec<(String, f64)>> {
        let number = |term: &Term| -> Result<f64> { Ok(term.value.to_dtype(DType::F64)?.to_scalar::<f64>()?) };
        self.terms.iter().map(|term| Ok((term.name.clone(), number(term)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn scalar(value: f32) -> Tensor {
        Tensor::new(value, &Device::Cpu).unwrap()
    }

    #[test]
    fn the_total_is_the_weighted_sum() {
        let mut losses = Losses::new();
        losses.add("adv", &scalar(2.0), 34.0).unwrap().add("cls", &scalar(3.0), 1.0).unwrap();
        losses.watch("accuracy", &scalar(0.5)).unwrap();
        assert_eq!(losses.total().unwrap().to_scalar::<f32>().unwrap(), 71.0);
        let names: Vec<_> = losses.values().unwrap();
        assert_eq!(names, [("adv".into(), 2.0), ("cls".into(), 3.0), ("accuracy".into(), 0.5)]);
    }

    #[test]
    fn a_term_is_a_scalar_with_its_own_name_and_a_finite_weight() {
        let mut losses = Losses::new();
        assert!(losses.total().is_err());
        let vector = Tensor::zeros(3, DType::F32, &Device::Cpu).unwrap();
        assert!(losses.add("adv", &vector, 1.0).unwrap_err().to_string().contains("loss term adv"));
        losses.add("adv", &scalar(1.0), 1.0).unwrap();
        assert!(losses.add("adv", &scalar(1.0), 1.0).is_err());
        assert!(losses.add("gp", &scalar(1.0), f64::NAN).is_err());
    }
}

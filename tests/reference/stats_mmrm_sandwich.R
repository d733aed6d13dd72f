# Reference answers of R's clubSandwich and nlme for the empirical covariance and the residuals of the
# longitudinal model.
# Run from the root of the repository (seconds):
#   Rscript tests/reference/stats_mmrm_sandwich.R > tests/reference/stats_mmrm_sandwich.csv
# The data are drawn here: small trials with dropout and intermittent missing values, rows of a patient
# in order of visit. nlme::gls fits; its covariance of visits (`sigma`, for weight one) and its
# coefficients are written, so that what is compared does not depend on where gls stopped.
#   vcov, se, df: clubSandwich::vcovCR and coef_test(test = "Satterthwaite"), clusters = patients,
#     working model = the fitted covariance.
#   pearson, normalized: nlme's residuals of these types.
#   weighted sets: gls's varFixed(~ I(1/w)) makes a patient's covariance D sigma D, D = diag(1/sqrt(w)).
#   independent: no correlation. Only there does clubSandwich's CR2 use the same root of the leverage as
#     mmrm's Empirical-Bias-Reduced; CR0 and CR3 are the same everywhere.
#   lonely: one patient alone is seen at the last visit.
suppressPackageStartupMessages({library(nlme); library(clubSandwich)})
cat("# Made by tests/reference/stats_mmrm_sandwich.R; do not edit.\n")
cat("# Command: Rscript tests/reference/stats_mmrm_sandwich.R > tests/reference/stats_mmrm_sandwich.csv\n")
cat("#", R.version.string, "; nlme", format(packageVersion("nlme")), "; clubSandwich",
    format(packageVersion("clubSandwich")), "\n")
cat("set,quantity,value\n")
say <- function(set, quantity, value)
  cat(set, ",", quantity, ",", paste(sprintf("%.17g", value), collapse = " "), "\n", sep = "")

draw <- function(n, m, lost) {
  base <- round(rnorm(n, 50, 8), 1)
  d <- expand.grid(visit = seq_len(m), id = seq_len(n))
  d$base <- base[d$id]
  d$arm <- d$id %% 2
  d$y <- round(d$base - 2 * d$visit - d$arm * d$visit + rnorm(n, 0, 5)[d$id] +
                 rnorm(n * m, 0, 2 + d$visit), 1)
  d$w <- round(runif(n * m, 0.5, 2), 2)
  d[sort(sample(n * m, n * m - lost)), ]
}
set.seed(20181230)
sets <- list(
  nine = list(data = draw(9, 3, 3), weighted = FALSE, us = FALSE),
  nine_weighted = list(data = draw(9, 3, 3), weighted = TRUE, us = FALSE),
  thirty = list(data = draw(30, 4, 14), weighted = FALSE, us = TRUE),
  thirty_weighted = list(data = draw(30, 4, 14), weighted = TRUE, us = FALSE))
lonely <- draw(12, 3, 0)
sets$independent <- list(data = draw(9, 3, 3), weighted = FALSE, us = FALSE, free = TRUE)
sets$lonely <- list(data = lonely[lonely$visit < 3 | lonely$id == 7, ], weighted = FALSE, us = FALSE)

for (set in names(sets)) {
  d <- sets[[set]]$data
  d$inverse <- 1 / d$w
  m <- max(d$visit)
  correlation <- if (sets[[set]]$us) corSymm(form = ~ visit | id) else corCompSymm(form = ~ visit | id)
  spread <- if (sets[[set]]$us) varIdent(form = ~ 1 | visit) else NULL
  free <- isTRUE(sets[[set]]$free)
  if (free) correlation <- NULL
  if (sets[[set]]$weighted) spread <- varFixed(~ inverse)
  fit <- gls(y ~ base + arm + factor(visit), d, correlation = correlation, weights = spread)
  rho <- matrix(1, m, m)
  sd <- rep(fit$sigma, m)
  if (sets[[set]]$us) {
    rho <- corMatrix(fit$modelStruct$corStruct)[[which(table(d$id) == m)[1]]]
    sd <- fit$sigma * coef(fit$modelStruct$varStruct, unconstrained = FALSE, allCoef = TRUE)[as.character(seq_len(m))]
  } else rho[row(rho) != col(rho)] <- if (free) 0 else coef(fit$modelStruct$corStruct, unconstrained = FALSE)
  for (name in c("id", "visit", "base", "arm", "y")) say(set, name, d[[name]])
  if (sets[[set]]$weighted) say(set, "w", d$w)
  say(set, "sigma", rho * outer(sd, sd))
  say(set, "beta", coef(fit))
  say(set, "pearson", residuals(fit, type = "pearson"))
  say(set, "normalized", residuals(fit, type = "normalized"))
  for (kind in c("CR0", "CR2", "CR3")) {
    if (set == "lonely" && kind == "CR3") next
    v <- vcovCR(fit, cluster = d$id, type = kind)
    test <- coef_test(fit, vcov = v, test = "Satterthwaite")
    say(set, paste0("vcov_", kind), as.matrix(v))
    say(set, paste0("df_", kind), test[[grep("^df", names(test))[1]]])
  }
}

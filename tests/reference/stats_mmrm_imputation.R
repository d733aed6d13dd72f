# Reference answers of R's package mice for visits missing after dropout, under missing at random.
# Run from the root of the repository (about four minutes):
#   Rscript tests/reference/stats_mmrm_imputation.R > tests/reference/stats_mmrm_imputation.csv
# Visit after visit is drawn by mice::mice.impute.norm (Bayesian normal regression) from the visits
# before it and a covariate where there is one, among the patients seen until then; values drawn are
# predictors of later ones only for those who left. 20,000 completed data sets; for each visit after the first:
# mean change from the first visit, its variance (with a covariate that of the intercept of lm on the
# covariate less its mean), pooled by mice::pool.scalar. `estimate_error`, `within_error`,
# `between_error` are Monte Carlo standard errors. Values are simulated, rounded to 0.1.
suppressPackageStartupMessages(library(mice))
cat("# Made by tests/reference/stats_mmrm_imputation.R; do not edit.\n")
cat("# Command: Rscript tests/reference/stats_mmrm_imputation.R > tests/reference/stats_mmrm_imputation.csv\n")
cat("#", R.version.string, "; mice", format(packageVersion("mice")), "\n")
cat("set,quantity,value\n")
say <- function(set, quantity, value)
  cat(set, ",", quantity, ",", paste(sprintf("%.17g", value), collapse = " "), "\n", sep = "")

set.seed(2013)
course <- function(n, means, sd, rho) {
  m <- length(means)
  S <- sd^2 * rho^abs(outer(1:m, 1:m, "-"))
  round(matrix(rnorm(n * m), n) %*% chol(S) + rep(means, each = n), 1)
}
sets <- list(
  nine = list(y = course(9, c(14, 11, 9, 8), 4, 0.7), last = c(4, 4, 2, 4, 4, 3, 4, 4, 4)),
  fifteen = list(y = course(15, c(14, 12, 9), 3, 0.5), last = c(3, 3, 1, 3, 3, 2, 3, 3, 3, 2, 3, 3, 1, 3, 3)),
  covariate = list(y = course(14, c(60, 66, 71), 8, 0.6), last = c(3, 2, 3, 3, 3, 3, 1, 3, 3, 3, 2, 3, 3, 3),
                   z = c(31, 44, 27, 52, 38, 29, 61, 35, 47, 33, 40, 25, 36, 58)))
times <- 20000
for (name in names(sets)) {
  y <- sets[[name]]$y; n <- nrow(y); m <- ncol(y); z <- sets[[name]]$z
  y[col(y) > sets[[name]]$last] <- NA
  centred <- if (is.null(z)) NULL else z - mean(z)
  q <- 1 + !is.null(z)
  one <- function(i) {
    done <- y
    for (j in 2:m) {
      ry <- !is.na(y[, j])
      x <- cbind(done[, 1:(j - 1), drop = FALSE], z)
      done[!ry, j] <- mice.impute.norm(y[, j], ry, x)
    }
    d <- done[, -1, drop = FALSE] - done[, 1]
    X <- cbind(rep(1, n), centred)
    rest <- qr.resid(qr(X), d)
    c(colMeans(d), colSums(rest^2) / (n - q) / n)
  }
  all <- sapply(seq_len(times), one)
  for (j in 1:m) say(name, paste0("visit", j - 1), y[, j])
  if (!is.null(z)) say(name, "covariate", z)
  for (j in 1:(m - 1)) {
    Q <- all[j, ]; U <- all[m - 1 + j, ]
    p <- pool.scalar(Q, U, n = n, k = q)
    say(name, paste0("pooled", j), c(p$qbar, p$ubar, p$b, p$df, p$fmi))
    say(name, paste0("error", j), c(sd(Q), sd(U), sd((Q - mean(Q))^2)) / sqrt(times))
  }
}

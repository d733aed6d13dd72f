# Reference answers of R's nlme, lme4, pbkrtest and lmerTest for the longitudinal model (MMRM).
# Run from the root of the repository (two minutes):
#   Rscript tests/reference/stats_mmrm.R > tests/reference/stats_mmrm.csv
# The data are drawn here: small trials with dropout and intermittent missing values. Every number is
# written with 17 digits. What is compared:
#   gls, REML and ML: us = corSymm + varIdent(visit); cs, csh = corCompSymm (+ varIdent); ar1, ar1h =
#     corAR1 on integer visits (+ varIdent); toep, toeph = corARMA of order visits - 1 (every positive
#     definite Toeplitz correlation is one such autoregression); sp_exp = corExp, sp_gau = corGaus.
#   weights: gls's variance covariate 1/w, varFixed(~ I(1/w)), makes the covariance of a patient
#     sigma^2 D R D with D = diag(1/sqrt(w)), which is the covariance D Sigma D of a weighted mmrm.
#   by_group: where every coefficient belongs to one group the likelihood with a covariance of each
#     group is the product of those of the groups, so each group is fitted by itself.
#   lmer: a random intercept is cs with a positive correlation; pbkrtest's Kenward-Roger with the
#     expected information, lmerTest's Satterthwaite.
#   R's mmrm itself: its answers on other data are read from beside the repository (test_mmrm_shared.py).
# gls stops when a step changes little, so its log-likelihood may lie some 1e-8 below the optimum.
suppressPackageStartupMessages({library(nlme); library(lme4); library(lmerTest); library(pbkrtest)})
cat("# Made by tests/reference/stats_mmrm.R; do not edit.\n")
cat("# Command: Rscript tests/reference/stats_mmrm.R > tests/reference/stats_mmrm.csv\n")
packages <- c("nlme", "lme4", "lmerTest", "pbkrtest")
cat("#", R.version.string, ";", paste(packages, sapply(packages, function(p) format(packageVersion(p))),
                                     collapse = "; "), "\n")
cat("set,quantity,value\n")
say <- function(set, quantity, value) {
  text <- if (is.numeric(value)) sprintf("%.17g", value) else as.character(value)
  cat(set, ",", quantity, ",", paste(text, collapse = " "), "\n", sep = "")
}

# n patients; visits 1..m; drop: share lost from some visit on; holes: share missing between.
trial <- function(seed, n, m, drop, holes, groups = 1, jitter = 0) {
  set.seed(seed)
  d <- expand.grid(visit = seq_len(m), id = seq_len(n))
  d$group <- rep(c("A", "B")[1 + (seq_len(n) - 1) %% groups], each = m)
  d$base <- rep(round(rnorm(n, 10, 3), 2), each = m)
  d$time <- d$visit + (if (jitter > 0) round(runif(n * m, -jitter, jitter), 3) else 0)
  d$w <- round(runif(n * m, 0.5, 2), 3)
  patient <- rep(rnorm(n, 0, 2.0), each = m)
  path <- unlist(lapply(seq_len(n), function(i) as.vector(arima.sim(list(ar = 0.6), m, sd = 1.2))))
  spread <- 0.8 + 0.25 * d$visit + 0.3 * (d$group == "B")
  d$y <- round(0.5 * d$base - 1.5 * d$visit + (d$group == "B") * d$visit + patient + path * spread, 3)
  last <- ifelse(runif(n) < drop, sample(2:(m - 1), n, replace = TRUE), m)
  lost <- d$visit > last[d$id] | (runif(n * m) < holes & d$visit > 1)
  d <- d[!lost, ]
  d$v <- factor(d$visit); d$id <- factor(d$id); d$group <- factor(d$group)
  d
}
sets <- list(
  nine = trial(9, 9, 4, 0.2, 0), fifteen = trial(15, 15, 3, 0.1, 0.1, 2),
  forty = trial(40, 40, 6, 0.25, 0.08, 2), uneven = trial(4, 15, 5, 0.2, 0.05, 1, 0.3))
models <- list(nine = y ~ base + v, fifteen = y ~ base + group * v, forty = y ~ base + group + v,
               uneven = y ~ base + time)

control <- glsControl(maxIter = 500, msMaxIter = 1000, tolerance = 1e-12, msTol = 1e-14)
parts <- function(structure, m) {
  by_visit <- varIdent(form = ~ 1 | v)
  switch(structure,
    us = list(corSymm(form = ~ visit | id), by_visit),
    cs = list(corCompSymm(form = ~ visit | id), NULL), csh = list(corCompSymm(form = ~ visit | id), by_visit),
    ar1 = list(corAR1(form = ~ visit | id), NULL), ar1h = list(corAR1(form = ~ visit | id), by_visit),
    toep = list(corARMA(form = ~ visit | id, p = m - 1), NULL),
    toeph = list(corARMA(form = ~ visit | id, p = m - 1), by_visit),
    sp_exp = list(corExp(form = ~ time | id), NULL), sp_gau = list(corGaus(form = ~ time | id), NULL))
}
# Coefficients, standard errors and log-likelihood by the definition at the covariance that gls found
# (its own standard errors under ML are scaled by N / (N - p)).
by_definition <- function(fit, model, d, reml) {
  X <- model.matrix(model, d); y <- d$y
  blocks <- corMatrix(fit$modelStruct$corStruct)
  sd <- if (is.null(fit$modelStruct$varStruct)) rep(1, nrow(d)) else 1 / varWeights(fit$modelStruct$varStruct)
  V <- diag(nrow(d))  # spatial correlations leave out patients with one visit
  for (i in names(blocks)) { at <- which(d$id == i); V[at, at] <- blocks[[i]] }
  V <- fit$sigma^2 * V * outer(sd, sd)
  A <- t(X) %*% solve(V, X); b <- solve(A, t(X) %*% solve(V, y)); r <- y - X %*% b
  log_det <- function(M) as.numeric(determinant(M)$modulus)
  n <- nrow(d) - if (reml) ncol(X) else 0
  list(coef = as.vector(b), se = sqrt(diag(solve(A))), loglik = -0.5 * (n * log(2 * pi) + log_det(V) +
    (if (reml) log_det(A) else 0) + sum(r * solve(V, r))))
}
write_gls <- function(set, structure, model, d, reml = TRUE, weighted = FALSE) {
  p <- parts(structure, nlevels(d$v))
  variance <- if (!weighted) p[[2]] else if (is.null(p[[2]])) varFixed(~ I(1 / w)) else
    varComb(p[[2]], varFixed(~ I(1 / w)))
  fit <- tryCatch(gls(model, d, correlation = p[[1]], weights = variance, control = control,
                      method = if (reml) "REML" else "ML"), error = function(e) NULL)
  # Left out: what gls cannot fit, and optima on the boundary, where it stops anywhere.
  smallest <- function(R) if (length(R) == 1) 1 else min(eigen(R, symmetric = TRUE, only.values = TRUE)$values)
  if (is.null(fit) || min(sapply(corMatrix(fit$modelStruct$corStruct), smallest)) < 1e-3) return(invisible())
  answer <- by_definition(fit, model, d, reml)
  stopifnot(abs(answer$loglik - as.numeric(logLik(fit))) < 1e-7)
  name <- paste(set, structure, if (reml) "reml" else "ml", if (weighted) "weighted" else "plain", sep = ":")
  for (q in names(answer)) say(name, q, answer[[q]])
}

for (set in names(sets)) {
  d <- sets[[set]]; X <- model.matrix(models[[set]], d)
  for (q in c("y", "id", "visit", "time", "group", "w")) say(set, q, if (is.factor(d[[q]])) as.character(d[[q]]) else d[[q]])
  say(set, "columns", ncol(X)); say(set, "X", as.vector(t(X)))
  structures <- if (set == "uneven") c("sp_exp", "sp_gau") else
    c("us", "cs", "csh", "ar1", "ar1h", "toep", "toeph", "sp_exp", "sp_gau")
  for (s in structures) {
    for (reml in c(TRUE, FALSE)) write_gls(set, s, models[[set]], d, reml)
    write_gls(set, s, models[[set]], d, weighted = TRUE)
  }
  if (set == "uneven") next
  lmm <- lmerTest::lmer(update(models[[set]], . ~ . + (1 | id)), d, control = lmerControl(
    optimizer = "nloptwrap", optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-14, maxeval = 1e5)))
  L <- diag(ncol(X)); name <- paste(set, "cs", "lmer", "plain", sep = ":")
  say(name, "loglik", as.numeric(logLik(lmm))); say(name, "coef", fixef(lmm))
  say(name, "se", sqrt(diag(as.matrix(vcov(lmm)))))
  adjusted <- pbkrtest::vcovAdj(lmm)
  say(name, "se_kr", sqrt(diag(as.matrix(adjusted))))
  say(name, "df_kr", apply(L, 1, function(l) pbkrtest::Lb_ddf(l, vcov(lmm), adjusted)))
  say(name, "df_satterthwaite", apply(L, 1, function(l) contest1D(lmm, l)$df))
  visits <- grep("v[2-9]", colnames(X))
  kr <- pbkrtest::KRmodcomp(lmm, L[visits, , drop = FALSE])$test
  say(name, "visits", visits - 1)
  say(name, "f_kr", c(kr["Ftest", "ndf"], kr["Ftest", "ddf"], kr["Ftest", "stat"], kr["Ftest", "p.value"]))
  f <- contestMD(lmm, L[visits, , drop = FALSE])
  say(name, "f_satterthwaite", c(f$NumDF, f$DenDF, f$`F value`, f$`Pr(>F)`))
}

# One covariance of each group: each group by itself, with coefficients of its own.
d <- sets$forty
for (s in c("us", "cs", "ar1h", "toep")) for (g in levels(d$group)) {
  write_gls(paste0("forty_", g), s, y ~ base + v, droplevels(d[d$group == g, ]))
}

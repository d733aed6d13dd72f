# Reference values for formulas, LS mean grids and type III hypotheses of the longitudinal model.
# Writes stats_mmrm_formula.json beside this script: constructed data, and what R makes of it.
# Run: Rscript tests/reference/stats_mmrm_formula.R     (stats 4.2.2, nlme 3.1-162, emmeans 1.8.4-1, jsonlite)
suppressMessages({library(jsonlite); library(nlme); library(emmeans)})
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))

set.seed(20261123)
d <- expand.grid(AVISIT = c("W04", "W08", "W12"), USUBJID = sprintf("P%02d", 1:24), stringsAsFactors = FALSE)
patient <- as.integer(factor(d$USUBJID))
d$ARM <- c("TRT", "PBO")[1 + patient %% 2]
d$SEX <- c("M", "F", "F")[1 + patient %% 3]
d$REGION <- c("N", "S", "E", "W", "N")[1 + patient %% 5]
d$WEEK <- c(W04 = 4, W08 = 8, W12 = 12)[d$AVISIT]
d$BASE <- round(rnorm(24, 50, 8), 1)[patient]
d$AGE <- round(runif(24, 20, 60))[patient]
d$CHG <- round(rnorm(nrow(d), -5) + 0.2 * d$BASE + rnorm(24, 0, 3)[patient], 2)
d <- d[-c(2, 9, 30, 31, 44, 60), ]
d <- d[order(d$USUBJID, d$AVISIT), ]
rownames(d) <- NULL

formulas <- c(
  "BASE", "AVISIT", "BASE + SEX + AVISIT", "ARM * AVISIT", "BASE + ARM * AVISIT + SEX", "AVISIT + AVISIT:BASE", "BASE * AVISIT",
  "ARM + ARM:AVISIT", "AVISIT:ARM + AVISIT", "0 + AVISIT", "AVISIT - 1", "0 + ARM:AVISIT", "0 + ARM * AVISIT",
  "0 + BASE + SEX + AVISIT", "ARM * SEX * AVISIT", "(ARM + SEX + AVISIT)^2", "ARM * SEX * BASE", "AVISIT / ARM", "ARM:BASE",
  "BASE:AGE + AVISIT", "BASE * AGE", "ARM:AVISIT:BASE + AVISIT", "REGION + BASE:REGION + ARM:AVISIT + ARM + AVISIT",
  "factor(WEEK) * ARM", "WEEK * ARM + SEX", "ARM * AVISIT - ARM", "I(BASE^2) + BASE + AVISIT", "log(BASE) * AVISIT", "BASE + 1",
  "I(SEX == 'F') * AVISIT", "1"
)
matrices <- lapply(formulas, function(f) {
  m <- model.matrix(as.formula(paste("~", f)), d)
  list(formula = f, names = I(colnames(m)), X = unname(m))
})

grid <- function(formula, by, at = NULL, weights = "equal") {
  fit <- lm(as.formula(paste("CHG ~", formula)), d)
  e <- do.call(emmeans, c(list(fit, by, weights = weights), if (!is.null(at)) list(at = at)))
  list(formula = formula, by = I(by), at = if (is.null(at)) NULL else at, weights = weights,
       levels = lapply(as.list(e@grid[by]), function(v) if (is.factor(v)) as.character(v) else v), L = unname(e@linfct))
}
grids <- list(
  grid("BASE + SEX + AVISIT", "AVISIT"), grid("BASE + SEX + AVISIT", "AVISIT", weights = "proportional"),
  grid("BASE + SEX + AVISIT", "SEX", at = list(BASE = 40)), grid("BASE * AVISIT", "AVISIT"),
  grid("ARM * AVISIT + SEX + REGION", c("ARM", "AVISIT")), grid("ARM * AVISIT + SEX + REGION", c("AVISIT", "ARM")),
  grid("ARM * AVISIT + SEX + REGION", c("ARM", "AVISIT"), weights = "proportional"),
  grid("ARM * SEX * AVISIT + REGION", "AVISIT", weights = "proportional"),
  grid("ARM * AVISIT + REGION", "ARM", at = list(REGION = c("N", "S"))),
  grid("ARM * AVISIT + REGION", "ARM", at = list(REGION = c("N", "S")), weights = "proportional"),
  grid("ARM * AVISIT", "AVISIT", at = list(AVISIT = c("W12", "W04"))),
  grid("BASE * ARM", c("ARM", "BASE"), at = list(BASE = c(40, 60))), grid("BASE * ARM", "ARM", at = list(BASE = c(40, 70))),
  grid("log(BASE) * AVISIT", "AVISIT"), grid("I(BASE^2) + BASE + AVISIT", "AVISIT"), grid("0 + AVISIT + SEX", "AVISIT"),
  grid("factor(WEEK) * ARM", "WEEK"), grid("factor(WEEK) * ARM", "ARM"), grid("0 + ARM:AVISIT", "ARM")
)

# Type III: marginal F tests under sum-to-zero coding, and the change of coding itself from the two model matrices.
type3 <- lapply(c("BASE + SEX + AVISIT", "ARM * AVISIT + BASE", "ARM * SEX * AVISIT", "BASE * ARM + AVISIT",
                  "AVISIT + AVISIT:BASE", "0 + AVISIT + ARM", "ARM + ARM:AVISIT", "(ARM + SEX + AVISIT)^2 + AGE"), function(f) {
  form <- as.formula(paste("CHG ~", f))
  options(contrasts = c("contr.sum", "contr.poly"))
  s <- gls(form, d, correlation = corCompSymm(form = ~ 1 | USUBJID))
  Xs <- model.matrix(form, d)
  a <- anova(s, type = "marginal")
  options(contrasts = c("contr.treatment", "contr.poly"))
  Xt <- model.matrix(form, d)
  t <- gls(form, d, correlation = corCompSymm(form = ~ 1 | USUBJID))
  L <- qr.solve(Xs, Xt)
  labels <- attr(terms(form), "term.labels")
  list(formula = f, beta = unname(coef(t)), vcov = unname(as.matrix(t$varBeta)), terms = I(labels), F = I(a[labels, "F-value"]),
       df = I(a[labels, "numDF"]), L = lapply(seq_along(labels), function(k) unname(L[attr(Xs, "assign") == k, , drop = FALSE])))
})

versions <- list(R = R.version.string, nlme = as.character(packageVersion("nlme")), emmeans = as.character(packageVersion("emmeans")))
write(toJSON(list(versions = versions, data = as.list(d), matrices = matrices, grids = grids, type3 = type3),
             digits = NA, auto_unbox = TRUE, null = "null"), file.path(here, "stats_mmrm_formula.json"))

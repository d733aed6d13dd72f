# Times R's longitudinal models on the data that a benchmark hands over; run by benchmarks/mmrm.py, not by hand.
# In: one question a line, "peer key file formula seconds", tab-separated. Out: "peer key seconds log-likelihood",
# the least CPU seconds of a call (repeated for a second, three times at least; one that takes 5 s is called once);
# "absent" where the package is not installed, "refused" where it gave no fit, "late" where it took more than the
# seconds allowed.
options(warn = -1)
package <- function(name) if (requireNamespace(name, quietly = TRUE)) format(packageVersion(name)) else "absent"
peers <- c("mmrm", "emmeans", "nlme")
versions <- vapply(peers, package, "")
cat("#", R.version.string, paste(peers, versions, collapse = " "), "\n")

cpu <- function() sum(proc.time()[1:2])
least <- function(call, seconds) {
  setTimeLimit(cpu = seconds, transient = TRUE)
  on.exit(setTimeLimit())
  best <- Inf; spent <- 0; calls <- 0
  repeat {
    start <- cpu()
    fit <- call()
    took <- cpu() - start
    best <- min(best, took); spent <- spent + took; calls <- calls + 1
    if (took > 5 || (spent > 1 && calls > 2)) break
  }
  sprintf("%.6g\t%.12g", best, as.numeric(logLik(fit)))
}

with_mmrm <- function(method, means = FALSE) function(fixed, d) {
  fit <- mmrm::mmrm(update(fixed, . ~ . + us(AVISIT | USUBJID)), data = d, method = method)
  summary(fit)
  if (means) as.data.frame(emmeans::emmeans(fit, "AVISIT"))
  fit
}
questions <- list(
  satterthwaite = with_mmrm("Satterthwaite"),
  kenward_roger = with_mmrm("Kenward-Roger"),
  means = with_mmrm("Kenward-Roger", means = TRUE),
  gls = function(fixed, d) {
    fit <- nlme::gls(fixed, data = d, method = "REML", correlation = nlme::corSymm(form = ~ as.integer(AVISIT) | USUBJID),
                     weights = nlme::varIdent(form = ~ 1 | AVISIT))
    summary(fit)
    fit
  }
)

for (line in readLines(file("stdin"))) {
  word <- strsplit(line, "\t")[[1]]
  needs <- if (word[1] == "gls") "nlme" else if (word[1] == "means") c("mmrm", "emmeans") else "mmrm"
  if (any(versions[needs] == "absent")) { cat(word[1], word[2], "absent\n", sep = "\t"); next }
  d <- read.csv(word[3], stringsAsFactors = TRUE)
  fixed <- as.formula(word[4])
  answer <- tryCatch(least(function() questions[[word[1]]](fixed, d), as.numeric(word[5])),
                     error = function(e) if (grepl("time limit", conditionMessage(e))) "late" else "refused")
  cat(word[1], word[2], answer, sep = "\t"); cat("\n")
}

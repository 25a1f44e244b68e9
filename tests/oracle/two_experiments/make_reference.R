# SIMULATED: two crossovers of different people. Values of lme4, lmerTest and pbkrtest.
# Rscript make_reference.R
suppressMessages({library(lme4); library(lmerTest); library(jsonlite)})
set.seed(20081)
make <- function(prefix, experiment, first, second, n, effect, sd) {
  do.call(rbind, lapply(seq_len(n), function(k) {
    order <- if (k %% 2 == 1) c(first, second) else c(second, first)
    u <- rnorm(1, 0, 1)
    y <- 2 + u + c(0, 0.3) + ifelse(order == first, effect, 0) + rnorm(2, 0, sd)
    data.frame(subject = sprintf("%s%02d", prefix, k), experiment = experiment,
               sequence = paste(order, collapse = "_"), period = 1:2, treatment = order, y = round(y, 4))
  }))
}
d <- rbind(make("a", "one", "KET", "PLA", 16, 1.2, 0.5), make("b", "two", "PLAKET", "LTGKET", 13, 0.9, 0.9))
d$y_missing <- d$y
d$y_missing[c(3, 20, 37, 44, 57)] <- NA
write.csv(d, "two_experiments.csv", row.names = FALSE, quote = FALSE, na = "")
d$session <- factor(paste(d$experiment, d$period))
d$treatment <- factor(d$treatment, levels = c("KET", "PLA", "PLAKET", "LTGKET"))
answer <- list(versions = list(R = R.version.string, lme4 = as.character(packageVersion("lme4")),
  lmerTest = as.character(packageVersion("lmerTest")), pbkrtest = as.character(packageVersion("pbkrtest"))))
for (column in c("y", "y_missing")) {
  own <- d[!is.na(d[[column]]), ]
  own$outcome <- own[[column]]
  own$subject <- factor(own$subject)
  # One mean per treatment; period and sequence within experiments, the first of each left out.
  own$late <- as.numeric(own$period == 2)
  X <- cbind(model.matrix(~ 0 + treatment, own), one2 = own$late * (own$experiment == "one"),
             two2 = own$late * (own$experiment == "two"),
             KP = as.numeric(own$sequence == "KET_PLA"), PL = as.numeric(own$sequence == "PLAKET_LTGKET"))
  colnames(X) <- sub("treatment", "", colnames(X))
  fit <- lmer(outcome ~ 0 + X + (1 | subject), own, REML = TRUE,
              control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10)))
  L <- rbind(drug = c(1, -1, 0, 0, 0, 0, 0, 0), difference = c(0, 0, 1, -1, 0, 0, 0, 0))
  L <- rbind(L, pretreated = L["drug", ] - L["difference", ])
  one <- function(name, ddf) {
    t <- contest1D(fit, L[name, ], ddf = ddf)
    list(estimate = t[["Estimate"]], se = t[["Std. Error"]], df = t[["df"]])
  }
  names <- setNames(rownames(L), rownames(L))
  answer[[column]] <- list(
    variances = as.list(setNames(as.data.frame(VarCorr(fit))$vcov, c("subject", "residual"))),
    covariance = L %*% as.matrix(vcov(fit)) %*% t(L),
    satterthwaite = lapply(names, one, ddf = "Satterthwaite"),
    kenward_roger = lapply(names, one, ddf = "Kenward-Roger"))
}
# Each experiment by itself, as Hills and Armitage: half the difference of the periods between sequences, with a
# variance for each sequence.
halves <- function(experiment, first) {
  own <- d[d$experiment == experiment, ]
  early <- own[own$period == 1, ]; late <- own[own$period == 2, ]
  stopifnot(all(early$subject == late$subject))
  half <- (early$y - late$y) / 2
  t <- t.test(half[early$treatment == first], half[early$treatment != first], var.equal = FALSE)
  list(estimate = unname(t$estimate[1] - t$estimate[2]), se = t$stderr, n = as.numeric(table(as.character(early$treatment))))
}
answer$halves <- list(drug = halves("one", "KET"), difference = halves("two", "PLAKET"))
write_json(answer, "two_experiments.json", auto_unbox = TRUE, digits = NA, pretty = TRUE)

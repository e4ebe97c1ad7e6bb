/**
 * Lets as much survive each cut as the failure allows, so that what is lost in the story matters: one answer after
 * another is set to "the newest state".
 */
import { type Question, ReplayChooser } from '../src/faults/chooser.ts';
import type { CrashCase } from './crash-case.ts';
import { replayCase } from './crash-replay.ts';

interface Asked {
  readonly question: Question;
  readonly newest: number;
  readonly answer: number;
}

/** Repeats a state and notes what was asked. */
class NotingChooser extends ReplayChooser {
  asked: Asked[] = [];

  override begin(): void {
    super.begin();
    this.asked = [];
  }

  protected override decide(question: Question, optionCount: number): number {
    const answer = super.decide(question, optionCount);
    const newest = question === 'names' || question === 'size' ? optionCount - 1 : 1;
    this.asked.push({ question, newest, answer });
    return answer;
  }
}

/** What each cut of a case asks. */
function questionsOf(crashCase: CrashCase): readonly (readonly Asked[])[] {
  const choosers: NotingChooser[] = [];
  replayCase(crashCase, {
    chooserOf: (choices) => {
      const chooser = new NotingChooser(choices);
      choosers.push(chooser);
      return chooser;
    },
  });
  return choosers.map(({ asked }) => asked);
}

/** @param fails whether a case still shows the failure */
export function keepMore(crashCase: CrashCase, fails: (tried: CrashCase) => boolean): CrashCase {
  let best = crashCase;
  for (let c = 0; c < best.cuts.length; c++) {
    for (let i = 0; ; i++) {
      const asked = questionsOf(best).at(c) ?? [];
      if (i >= asked.length) break;
      if (asked[i].answer === asked[i].newest) continue;
      const answers = asked.map(({ answer }) => answer);
      answers[i] = asked[i].newest;
      // A write that survives whole is not asked about its sectors.
      let sectors = 0;
      if (asked[i].question === 'write') while (asked.at(i + 1 + sectors)?.question === 'sector') sectors++;
      answers.splice(i + 1, sectors);
      const tried = { ...best, cuts: best.cuts.with(c, { step: best.cuts[c].step, choices: answers }) };
      if (fails(tried)) best = tried;
    }
  }
  return best;
}

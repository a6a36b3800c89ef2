// A person's word on a hit: that it shows another vehicle. It is remembered, and can be taken back.

import { send } from "../shared/api.js";
import { collection } from "../shared/collection.js";

/**
 * Say that a hit shows another vehicle than the query. Where the query is an enrolled crop, searches by it leave the hit out from
 * then on; of any other only the score is there to be kept.
 * @param {Object} hit
 * @param {{crop: ?string}[]} pictures of the query
 * @param {string} model of the score
 * @returns {Promise<string>} id of the judgement
 */
export async function judgeAnother({ crop, score }, pictures, model) {
  const enrolled = pictures.find((one) => one.crop);
  const query = enrolled ? { query_crop_id: enrolled.crop } : { score, model_id: model };
  return (await send("POST", "judgements", { collection, crop_id: crop.id, same: false, ...query })).id;
}

export async function takeBack(judgement) {
  try {
    await send("DELETE", `judgements/${encodeURIComponent(judgement)}`);
  } catch (error) {
    // It is gone, which is what was asked for.
    if (error.status !== 404) throw error;
  }
}

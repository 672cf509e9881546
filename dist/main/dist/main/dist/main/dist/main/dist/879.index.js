export const id = 879;
export const ids = [879];
export const modules = {

/***/ 879:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   writeComment: () => (/* binding */ S)
/* harmony export */ });
/* harmony import */ var _duration_js__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(482);
/* harmony import */ var _origin_js__WEBPACK_IMPORTED_MODULE_5__ = __webpack_require__(898);
/* harmony import */ var _dist_js__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(420);
/* harmony import */ var _plan_js__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(367);
/* harmony import */ var _summary_js__WEBPACK_IMPORTED_MODULE_3__ = __webpack_require__(346);
/* harmony import */ var node_fs_promises__WEBPACK_IMPORTED_MODULE_4__ = __webpack_require__(455);
const g=(0,_dist_js__WEBPACK_IMPORTED_MODULE_1__.s)((0,_dist_js__WEBPACK_IMPORTED_MODULE_1__.v)({id:(0,_dist_js__WEBPACK_IMPORTED_MODULE_1__.C)(),body:(0,_dist_js__WEBPACK_IMPORTED_MODULE_1__.S)((0,_dist_js__WEBPACK_IMPORTED_MODULE_1__.M)(),``)}));async function _({api:t,repository:i,number:a},o,s,c){let l=new _duration_js__WEBPACK_IMPORTED_MODULE_0__.M(`milvus-gke-load-balancer`,void 0,{socketTimeout:1e4,allowRetries:!0,maxRetries:2,headers:{accept:`application/vnd.github+json`,authorization:`Bearer ${o}`,"content-type":`application/json`,"x-github-api-version":`2022-11-28`}}),u=`The comment on pull request ${i}#${a} can't be written.`,d=async(e,a,o)=>{let s=`${t}/repos/${i}/issues${a}`,c=await l.request(e,s,o?JSON.stringify(o):null).catch(t=>{throw new _duration_js__WEBPACK_IMPORTED_MODULE_0__.c(u,{why:`${e} ${s}: ${(0,_duration_js__WEBPACK_IMPORTED_MODULE_0__.f)(t)}`,cause:t})}),d=await c.readBody();if(!v(c))throw y(u,`${e} ${s}`,c,d);return d},p=`${s}\n${c}`;for(let e=1;e<=30;e+=1){let t=await d(`GET`,`/${a}/comments?per_page=100&page=${e}`),n=(0,_plan_js__WEBPACK_IMPORTED_MODULE_2__.L)(g,t)??[],r=n.find(e=>e.body.startsWith(s));if(r?.body===p)return`kept`;if(r)return await d(`PATCH`,`/comments/${r.id}`,{body:p}),`changed`;if(n.length<100)break}return await d(`POST`,`/${a}/comments`,{body:p}),`created`}function v({message:{statusCode:e=0}}){return e>=200&&e<300}function y(e,t,{message:{statusCode:r}},i){let a=(0,_plan_js__WEBPACK_IMPORTED_MODULE_2__.L)((0,_dist_js__WEBPACK_IMPORTED_MODULE_1__.v)({message:(0,_dist_js__WEBPACK_IMPORTED_MODULE_1__.M)()}),i)?.message??i.slice(0,200);return new _duration_js__WEBPACK_IMPORTED_MODULE_0__.c(e,{why:`${t} answered ${r}: ${a}`,fix:`give the job permissions: pull-requests: write; a pull request from a fork never has it.`})}const b=(0,_dist_js__WEBPACK_IMPORTED_MODULE_1__.v)({pull_request:(0,_dist_js__WEBPACK_IMPORTED_MODULE_1__.T)((0,_dist_js__WEBPACK_IMPORTED_MODULE_1__.v)({number:(0,_dist_js__WEBPACK_IMPORTED_MODULE_1__.C)()})),issue:(0,_dist_js__WEBPACK_IMPORTED_MODULE_1__.T)((0,_dist_js__WEBPACK_IMPORTED_MODULE_1__.v)({number:(0,_dist_js__WEBPACK_IMPORTED_MODULE_1__.C)(),pull_request:(0,_dist_js__WEBPACK_IMPORTED_MODULE_1__.T)((0,_dist_js__WEBPACK_IMPORTED_MODULE_1__.v)({}))}))});async function x({GITHUB_API_URL:e=`https://api.github.com`,GITHUB_REPOSITORY:t,GITHUB_EVENT_PATH:n}){if(!t||!n)return;let r=(0,_plan_js__WEBPACK_IMPORTED_MODULE_2__.L)(b,await (0,node_fs_promises__WEBPACK_IMPORTED_MODULE_4__.readFile)(n,`utf8`)),i=r?.pull_request?.number??(r?.issue?.pull_request&&r.issue.number);return i===void 0?void 0:{api:e,repository:t,number:i}}async function S(e,n,o,s){try{let r=await x(s);if(!r){(0,_duration_js__WEBPACK_IMPORTED_MODULE_0__.a)(`No comment is written: this job doesn't run for a pull request.`);return}let i=T(e,n,o,(0,_origin_js__WEBPACK_IMPORTED_MODULE_5__.t)(s)),c=await _(r,n.githubToken,C(n),i);(0,_duration_js__WEBPACK_IMPORTED_MODULE_0__.a)(`The comment on pull request ${r.repository}#${r.number} is ${c}.`)}catch(e){(0,_duration_js__WEBPACK_IMPORTED_MODULE_0__.o)((0,_duration_js__WEBPACK_IMPORTED_MODULE_0__.f)(e))}}function C({cluster:e,namespace:t,release:n}){return`<!-- milvus-gke-load-balancer: ${`${w(e)} ${t}/${n}`.replace(/-(?=-)/g,`- `).replace(/[<>\r\n]/g,` `)} -->`}function w(e){return e.kind===`gke`?`${e.location}/${e.name}`:e.kind===`kubeconfig`?`context ${e.context??``}`:e.identity.server}function T(e,t,n,r){let{mode:i,namespace:a,release:o}=t;return`${(0,_summary_js__WEBPACK_IMPORTED_MODULE_3__.t)((0,_summary_js__WEBPACK_IMPORTED_MODULE_3__.n)(e,{mode:i,summary:`changes`},n)).trimEnd()}\n\n<sub>${[`Milvus release \`${a}/${o}\``,...r===void 0?[]:[r]].join(`, `)}</sub>\n`}

/***/ }),

/***/ 898:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   t: () => (/* binding */ e)
/* harmony export */ });
function e({GITHUB_REPOSITORY:e,GITHUB_SHA:t,GITHUB_SERVER_URL:n=`https://github.com`,GITHUB_RUN_ID:r}){if(!e)return;let i=t?`${e}@${t.slice(0,7)}`:e;return r?`${i}, ${n}/${e}/actions/runs/${r}`:i}

/***/ })

};
